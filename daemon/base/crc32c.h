/* CRC-32C (Castagnoli), with the processor's instruction where it has one. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with crc 0; feeding in pieces equals feeding the whole. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
uint32_t crc32c_plain(uint32_t crc, const void *p, size_t n); /* without it */

#endif
