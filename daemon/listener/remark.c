/* The bound is far above what apps that are set up wrongly write, and far below what would fill a disk unseen. */
#include "listener/remark.h"

#include "base/log.h"

enum { A_SECOND = 100 };

bool
remark_may(struct remarks *r, int64_t now_ms)
{
	if (r->made == 0 || now_ms - r->since_ms >= 1000) {
		if (r->unsaid > 0)
			log_event(LOG_WARNING, "unsaid", log_num("lines", r->unsaid),
			    log_text("reason", "more than 100 lines a second about clients: those that came after have none"));
		*r = (struct remarks){ .since_ms = now_ms };
	}
	if (r->made >= A_SECOND) {
		r->unsaid++;
		return false;
	}
	r->made++;
	return true;
}
