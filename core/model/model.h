/* The door of model: what a metric is. Pure: no I/O, no threads, no clock. */
#pragma once
#include "core/model/labels.h"
#include "core/model/regex.h"
#include "core/model/matcher.h"
#include "core/model/duration.h"
#include "core/model/time.h"
#include "core/model/metadata.h"
#include "core/model/histogram.h"
#include "core/model/histogram_math.h"
