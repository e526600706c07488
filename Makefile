# SPDX-License-Identifier: GPL-2.0
#
# The only file that "make" reads from here on is this one; the modules are
# described by Kbuild and by the Makefile of each directory.

KDIR	?= /lib/modules/$(shell uname -r)/build
MACHINE	?= arm64-stock

LAB	:= tools/testing/lab
RUN	:= $(LAB)/toolbox run

help:
	@echo 'On any machine with kernel headers:'
	@echo '  make modules            build the modules for the running kernel'
	@echo '  make modules KDIR=...   ... for the kernel whose headers or build tree are there'
	@echo '                          (ARCH= and CROSS_COMPILE= as for the kernel)'
	@echo '  make modules_install    install what was built (as root; KDIR= as above)'
	@echo
	@echo 'In the toolbox, a Debian root that is made by itself (needs mmdebstrap, and'
	@echo 'root or user namespaces) outside this tree; results are in build/:'
	@echo '  make demo               watch a guest stage 1 translate real DMA (1-10 minutes);'
	@echo '                          ARCH=x86: on VT-d instead of SMMUv3'
	@echo '  make check              all checks and tests; TIER=stock: on Debian'"'"'s kernels and'
	@echo '                          QEMU; TIER=lab: on the laboratory'"'"'s ($(LAB)/README.rst)'
	@echo '  make bench              measure beside the in-tree driver (Documentation/performance.rst)'
	@echo '  make all-kernels        build for every kernel of the toolbox'
	@echo '  make shell              a shell in an emulated machine (MACHINE=$(MACHINE))'
	@echo '  make toolbox            only make the toolbox; "$(LAB)/toolbox" has more'
	@echo
	@echo '  make clean              remove everything that was built here'

$(KDIR)/Makefile:
	@echo 'There is no kernel to build for in $(KDIR).' >&2
	@echo 'Install its headers (Debian: apt-get install linux-headers-$$(uname -r)), or' >&2
	@echo 'say where they are with KDIR=..., or build in the toolbox: make all-kernels' >&2
	@false

modules modules_install: $(KDIR)/Makefile
	+@$(MAKE) -C $(KDIR) M=$(CURDIR) $@

toolbox:
	@$(LAB)/toolbox build

all-kernels:
	@$(RUN) $(LAB)/build

demo:
	@$(LAB)/toolbox build kernel-source qemu \
		$(if $(filter x86,$(ARCH)),busybox-amd64 images-amd64)
	@$(RUN) $(LAB)/demo $(filter x86,$(ARCH))

check:
	@$(LAB)/toolbox build $$($(RUN) $(LAB)/check --parts $(TIER))
	@$(RUN) $(LAB)/check $(TIER)

bench:
	@$(LAB)/toolbox build kernel-source $$($(RUN) $(LAB)/bench --parts)
	@$(RUN) $(LAB)/bench

shell:
	@$(LAB)/toolbox build kernel-source $$($(RUN) $(LAB)/run --parts $(MACHINE))
	@$(RUN) $(LAB)/run --build --selftests --shell $(MACHINE)

# Kbuild can only clean with a kernel at hand, and what it leaves is known.
clean:
	@rm -rf build
	@find Kbuild include drivers \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' -o -name '*.probe' \
		-o -name '.*.log' -o -name '.*.d' -o -name modules.order \
		-o -name compat-config.h \) -delete
	@rm -rf Module.symvers modules.order .module-common.o .*.cmd .tmp_versions

.PHONY: help modules modules_install toolbox all-kernels demo check bench shell clean
