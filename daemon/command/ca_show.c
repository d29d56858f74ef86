/*
 * `gatepost ca': the local CA's certificate on standard output, where to install it on standard error, so that
 * `sudo gatepost ca >gatepost.pem' is all that it takes.
 */
#include "base/mem.h"
#include "command/args.h"
#include "command/command.h"
#include "command/runs.h"
#include "net/tls.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char where[] =
    "To trust it, save it (sudo gatepost ca >gatepost.pem) and install it on this machine:\n"
    "  Debian, Ubuntu:  as /usr/local/share/ca-certificates/gatepost.crt, then sudo update-ca-certificates\n"
    "  Fedora, RHEL:    as /etc/pki/ca-trust/source/anchors/gatepost.pem, then sudo update-ca-trust\n"
    "  Java:            keytool -importcert -cacerts -alias gatepost -file gatepost.pem\n"
    "  Python, Node.js: SSL_CERT_FILE=gatepost.pem, NODE_EXTRA_CA_CERTS=gatepost.pem\n"
    "It is valid for this host's names only and cannot sign for any other.\n";

static int
print_pem(const char *dir)
{
	struct buf pem = { 0 };
	struct why why;
	int status = ARGS_OK;

	if (tls_read_local(dir, "ca.pem", &pem, &why) < 0)
		status = errno == ENOENT ? command_fail(ARGS_FAILED, "ca: there is no %s/ca.pem yet; start the daemon once, or "
		    "make it with `gatepost ca --renew'", dir) :
		    command_fail(ARGS_FAILED, "ca: %s%s", why.text,
		    errno == EACCES ? "; become root or the user of the daemon: sudo gatepost ca" : "");
	else if (fwrite(pem.data, 1, pem.len, stdout) != pem.len || fflush(stdout) != 0)
		status = ARGS_FAILED;
	else
		fputs(where, stderr);
	buf_clear(&pem);
	return status;
}

/* What root makes in the spool must belong to the daemon: so it is made as the daemon's user. */
static int
become_owner(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return command_fail(ARGS_FAILED, "ca: %s: %s; start the daemon once, it makes its spool and the CA", dir,
		    strerror(errno));
	if (geteuid() != 0 || st.st_uid == 0)
		return ARGS_OK;
	if (setgroups(0, NULL) < 0 || setgid(st.st_gid) < 0 || setuid(st.st_uid) < 0)
		return command_fail(ARGS_FAILED, "ca: cannot become the owner of %s: %s", dir, strerror(errno));
	return ARGS_OK;
}

static int
renew(const struct config *config, const char *dir)
{
	struct why why;
	bool made;
	int status = become_owner(config->spool_dir);

	if (status != ARGS_OK)
		return status;
	if (tls_local_ca(dir, config->hostname, true, &made, &why) < 0)
		return command_fail(ARGS_FAILED, "ca: %s", why.text);
	fputs("made a new CA and a new certificate; `systemctl reload gatepost' puts them in use, and trust in the "
	    "old CA must be replaced\n", stderr);
	return ARGS_OK;
}

int
ca_show_run(int argc, char **argv)
{
	bool again = false;
	const struct args_option own[] = { { "--renew", &again, NULL }, { NULL, NULL, NULL } };
	struct config *config;
	struct args a;
	char *dir, *file;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON ||
	    (status = args_need(&a, 0, 0)) != ARGS_GO_ON || (status = args_config(&a, false, &config)) != ARGS_OK)
		return status;
	dir = mem_printf("%s/tls", config->spool_dir);
	file = mem_printf("%s/ca.pem", dir);
	if (config->tls.certificate[0] != '\0')
		status = command_fail(ARGS_FAILED, "ca: %s names a certificate of its own (tls.certificate = %s), so there "
		    "is no local CA", config->file, config->tls.certificate);
	else if (again)
		status = renew(config, dir);
	else if (geteuid() == 0 && access(file, R_OK) < 0 && errno == EACCES)
		status = become_owner(config->spool_dir);	/* root in a container may lack CAP_DAC_OVERRIDE */
	if (status == ARGS_OK)
		status = print_pem(dir);
	free(file);
	free(dir);
	config_unref(&config);
	return status;
}
