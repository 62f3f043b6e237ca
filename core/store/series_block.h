/* Limits of a block of series on disk, for series_save.c and series_load.c. */
#pragma once
#include "core/model/model.h"

#define PL__SERIES_VERSION 1
#define PL__SERIES_BODY_MAX                                                                        \
    ((size_t)80 << 20) /* 1,024 series of 64 KB, and what belongs to them                          \
                        */
