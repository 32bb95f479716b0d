// The tile language: everything a kernel's definition uses. No compiler header comes with it.
#pragma once
#include "dsl/kernel.h"
#include "dsl/loop.h"
#include "dsl/math.h"
#include "dsl/range.h"
#include "dsl/tensor.h"
#include "dsl/tile.h"
