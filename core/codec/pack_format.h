/* Internal to codec: constants of a pack's bytes, for reader and writer. Format in pack.c. */
#pragma once
#include "core/codec/pack.h"
#include "core/codec/stream.h"

enum {
    PL__PACK_CRC = 4,
    PL__PACK_FORM = 1,
    PL__PACK_ZSTD = 0x80,
    PL__PACK_ID_VARINT = 2,
    PL__PACK_TCOL_MASK = 3 << 2,
    PL__PACK_TCOL_NEXT = 1 << 2,
    PL__PACK_TCOL_SERIES = 2 << 2,
    PL__PACK_TCOL_VARINT = 3 << 2,
    PL__PACK_TYPED = 1 << 4,
    PL__PACK_FLAGS_MAX = 31,
};
