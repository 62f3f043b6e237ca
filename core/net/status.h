/* Reason phrases. Pure. */
#pragma once
#include "core/base/base.h"

/** "404 Not Found"; "599 Unknown" for one without a name. Status must have three digits. */
pl_str pl__status_line(int status, char buf[16]);
