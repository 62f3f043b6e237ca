/* The door of base: what every other folder stands on. No singletons but fault points. */
#pragma once
#include "perilune/err.h"

#include "core/base/str.h"
#include "core/base/buf.h"
#include "core/base/arena.h"
#include "core/base/grow.h"
#include "core/base/bits.h"
#include "core/base/hash.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/thread.h"
#include "core/base/file.h"
#include "core/base/fault.h"
