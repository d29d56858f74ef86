/* What the table of subcommands points to: argv[0] is the command's name; the exit status is returned.  Private to
 * the room. */
#ifndef COMMAND_RUNS_H
#define COMMAND_RUNS_H

int checkup_run(int argc, char **argv);
int probe_show_run(int argc, char **argv);
int reload_ask_run(int argc, char **argv);
int status_run(int argc, char **argv);
int list_run(int argc, char **argv);
int list_mailq(int argc, char **argv);
int show_run(int argc, char **argv);
int trace_show_run(int argc, char **argv);
int act_retry(int argc, char **argv);
int act_hold(int argc, char **argv);
int act_release(int argc, char **argv);
int act_delete(int argc, char **argv);
int sendmail_run(int argc, char **argv);
int sendmail_newaliases(int argc, char **argv);
int submit_test_run(int argc, char **argv);
int passwd_run(int argc, char **argv);
int ca_show_run(int argc, char **argv);
int spool_check_run(int argc, char **argv);
int help_version(int argc, char **argv);

#endif
