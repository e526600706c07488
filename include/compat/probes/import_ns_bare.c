// SPDX-License-Identifier: GPL-2.0
/* Is the name of a symbol namespace a bare word, not a string? */
#include <linux/module.h>

MODULE_IMPORT_NS(A_NAMESPACE);
