/* The version of Perilune; both come from the build. */
#ifndef PERILUNE_VERSION_H
#define PERILUNE_VERSION_H

#ifndef PL_VERSION
#define PL_VERSION "unknown"
#endif
#ifndef PL_REVISION
#define PL_REVISION "unknown"
#endif

#endif
