# SPDX-License-Identifier: GPL-2.0

KDIR ?= /lib/modules/$(shell uname -r)/build

modules modules_install clean:
	+$(MAKE) -C $(KDIR) M=$(CURDIR) $@

.PHONY: modules modules_install clean
