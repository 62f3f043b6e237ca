/* The door of codec: bytes <-> columns and values. Pure; each file has its format drawn on top. */
#pragma once
#include "core/codec/column.h"
#include "core/codec/pack.h"
#include "core/codec/number.h"
#include "core/codec/json.h"
#include "core/codec/protobuf.h"
#include "core/codec/compress.h"
#include "core/codec/msgpack.h"
#include "core/codec/xor_chunk.h"
