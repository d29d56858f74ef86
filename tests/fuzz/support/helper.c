/* In place of the listener's password thread: the answer is there at once, and the only right password is "p". */
#include "fuzz/support/fuzz.h"

#include "listener/helper.h"

void
helper_start(void)
{
}

void
helper_stop(void)
{
}

void
helper_learn(struct users *users)
{
	(void)users;
}

bool
helper_put(struct check **cp)
{
	struct check *c = *cp;

	c->tell_at_ms = c->at_ms + 500;
	if (c->user == NULL)
		return false;
	*cp = NULL;
	c->ok = strcmp(c->password, "p") == 0;
	channel_post(c->back, &c->link);
	return true;
}

void
helper_cancel(const struct channel *back, struct handle session)
{
	(void)back;
	(void)session;
}

void
helper_forget(const struct channel *back)
{
	(void)back;
}

void
helper_free_check(struct check **cp)
{
	struct check *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	users_unref(&c->users);
	free(c->name);
	mem_wipe(c->password, c->password_len);
	free(c);
}
