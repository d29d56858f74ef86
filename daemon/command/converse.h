/* `sendmail -bs': SMTP on standard input and output, spoken by the daemon.  Private to the room. */
#ifndef COMMAND_CONVERSE_H
#define COMMAND_CONVERSE_H

/* Until either side ends it.  Exit status: 0, or 75 after a complaint. */
int converse(const char *socket);

#endif
