/* The page's style and script: constant text, whose digests the page's policy names.  Private to the room. */
#ifndef WEB_SKIN_H
#define WEB_SKIN_H

extern const char skin_style[], skin_script[];

#endif
