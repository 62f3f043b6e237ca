/* The version of Perilune. PL_REVISION comes from the build. */
#ifndef PERILUNE_VERSION_H
#define PERILUNE_VERSION_H

#define PL_VERSION "0.1.0"
#ifndef PL_REVISION
#define PL_REVISION "unknown"
#endif

#endif
