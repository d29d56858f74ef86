/* The option table: is it sound? */
#include "config/value.h"
#include "find_key.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(rows_are_sound)
{
	const struct key *k, *other;
	unsigned n = 0;

	for (; (k = keys_get(n)) != NULL; n++) {
		const struct config_option *o = &k->option;
		bool is_section = false;

		for (unsigned i = 0; keys_section(i) != NULL; i++)
			is_section |= strcmp(keys_section(i)->name, o->section) == 0;
		ck_assert_msg(is_section, "section %s", o->section);
		ck_assert(o->help[0] != '\0');
		ck_assert(o->restart == ((k->flags & KEY_RESTART) != 0));
		for (unsigned i = 0; (other = keys_get(i)) != NULL; i++)
			ck_assert(i == n || strcmp(o->section, other->option.section) != 0 ||
			    strcmp(o->name, other->option.name) != 0);
	}
	ck_assert_uint_gt(n, 80);
}
END_TEST

/* What a reload cannot change, as CONTRACT.md 2 lists it (listen is a section). */
START_TEST(restart_options)
{
	static const char want[] = " .spool_dir .control_socket .submit_socket .user"
	    " .threads metrics.listen";
	char got[256] = "";
	const struct key *k;

	for (unsigned n = 0; (k = keys_get(n)) != NULL; n++)
		if (k->flags & KEY_RESTART) {
			strcat(got, " ");
			strcat(got, k->option.section);
			strcat(got, ".");
			strcat(got, k->option.name);
		}
	ck_assert_str_eq(got, want);
}
END_TEST

/* Every default is a value that its own row takes, and can be freed. */
START_TEST(defaults)
{
	union { struct config c; struct listen l; struct upstream u; struct route_rule r; } all;
	const struct key *k;

	for (unsigned n = 0; (k = keys_get(n)) != NULL; n++) {
		memset(&all, 0, sizeof all);
		value_default(k, &all);
		value_default(k, &all);
		value_clear(k->option.section, &all);
	}
}
END_TEST

/* A value that is refused leaves the one before in its place. */
START_TEST(refused_value_changes_nothing)
{
	const struct key *k = find_key("upstream", "chain");
	const char *good[] = { "25/none", "26/implicit" };
	const char *bad[] = { "1/none", "2/none", "x" };
	struct upstream u = { 0 };
	struct why why;

	ck_assert_int_eq(value_set(k, &u, good, 2, &why), 0);
	ck_assert_int_eq(value_set(k, &u, bad, 3, &why), -1);
	ck_assert_uint_eq(u.nchain, 2);
	ck_assert_uint_eq(u.chain[1].port, 26);
	ck_assert_int_eq(value_set(k, &u, good, 0, &why), -1);
	ck_assert_str_eq(why.text, "has 0 entries; give it 1 to 16");
	k = find_key("upstream", "host");
	ck_assert_int_eq(value_set(k, &u, good, 1, &why), -1);
	ck_assert_ptr_null(u.host);
	value_clear("upstream", &u);
	ck_assert_ptr_null(u.chain);
}
END_TEST

Suite *test_keys(void);

Suite *
test_keys(void)
{
	Suite *s = suite_create("test_keys");
	TCase *t = tcase_create("keys");

	tcase_add_test(t, rows_are_sound);
	tcase_add_test(t, restart_options);
	tcase_add_test(t, defaults);
	tcase_add_test(t, refused_value_changes_nothing);
	suite_add_tcase(s, t);
	return s;
}
