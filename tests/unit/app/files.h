/* A file in a temporary directory, for the tests of settings. */
#pragma once
#include "core/base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/** Write `text` to a new file; its path is put into `path` (64 bytes); remove with unlink. */
static inline void make_file(char *path, const char *text)
{
    strcpy(path, "/tmp/perilune-config-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}
