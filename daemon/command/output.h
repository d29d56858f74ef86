/* Standard output of a command, and whether it took all.  Private to the room. */
#ifndef COMMAND_OUTPUT_H
#define COMMAND_OUTPUT_H

void output_open(void);			/* before anything is printed */

/* After the last: returns status, or tells on standard error why output was lost, and returns a failure. */
int output_end(int status, const char *command);

#endif
