/* Addresses as people write them. Any thread; pl__addr_listen may block on name resolution. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define PL__ADDR_TEXT 64 /* room for an address of a socket with its port */

/** A bound, listening, non-blocking, close-on-exec socket for "HOST:PORT", "[V6]:PORT", ":PORT"
 * (all addresses, IPv6 and IPv4) or "unix:/path" (a socket file nobody listens on is replaced).
 *  @param bound  room for PL__ADDR_TEXT: the address with its real port
 *  @param why  what failed, for people
 *  @return the descriptor, or PL_EINVAL (not an address), PL_EEXIST (in use), PL_EIO */
int pl__addr_listen(const char *addr, char *bound, char *why, size_t n_why);
bool pl__addr_is_unix(const char *addr);
/** "127.0.0.1:4711" of the other end; "?" if it is gone. */
void pl__addr_peer(int fd, char *out, size_t n);
