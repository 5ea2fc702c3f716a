// See kw_simd_names.h.
#pragma once
#include "../kw_macros.h"
