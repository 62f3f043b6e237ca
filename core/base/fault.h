/* Fault points: a debug build fails, shortens or kills where a test asks for it, by the environment
 * variable PERILUNE_FAULTS or by pl_fault_set. Release builds compile to nothing.
 *
 * Grammar: point=action[@n][,...]   action: EIO ENOSPC ENOMEM short kill; n: at the n-th pass (1 is
 * the first; default every pass). "journal.sync=EIO@3,flush.commit=kill". */
#pragma once

#ifdef PL_FAULTS
enum pl_fault_action { PL_FAULT_NONE = 0, PL_FAULT_SHORT = 1 /* and pl_err codes, < 0 */ };
/** 0 in the usual case; < 0: fail with this code; PL_FAULT_SHORT: do half, then fail. */
int pl_fault(const char *point);
/** Replace all; NULL clears. PL_EPARSE. */
int pl_fault_set(const char *spec);
#define PL_FAULT(point) pl_fault(point)
#else
#define PL_FAULT(point) 0
#endif
