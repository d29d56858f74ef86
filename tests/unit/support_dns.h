/* The resolver of test_dns.c, for other tests: who holds this lets names under .dns.test hang. */
#ifndef UNIT_SUPPORT_DNS_H
#define UNIT_SUPPORT_DNS_H

#include <pthread.h>

extern pthread_mutex_t support_dns_gate;

#endif
