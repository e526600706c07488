#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# Runs the tests on a real machine, with spare PCI devices of it:
#
#	run.sh [-v] 0000:01:00.0...	look what the machine lacks; if nothing, run
#	run.sh --doctor [0000:01:00.0...]	only look, and change nothing
#
# A device has to be one that the tests know how to use; any NVMe drive is. What
# is stored on it is not touched. While the tests run no host driver has it, and
# afterwards its driver gets it back.
#
# The output is KTAP, and what is wrong comes with how to put it right. The exit
# status is 0 if nothing failed.

dir=$(cd "$(dirname "$0")" && pwd) || exit 1
sys=/sys/bus/pci/devices

usage() {
	sed -n '7,8s/^#//p' "$0"
	exit 2
}

doctor=
verbose=
while :; do
	case $1 in
	--doctor) doctor=yes ;;
	-v) verbose=-v ;;
	-*) usage ;;
	*) break ;;
	esac
	shift
done
[ -n "$doctor" ] || [ $# -gt 0 ] || usage

count=0
failed=

# good WHAT / bad WHAT HOW...: one line of the report, the second with advice
good() {
	count=$((count + 1))
	echo "ok $count - $1"
}

bad() {
	count=$((count + 1))
	failed=yes
	echo "not ok $count - $1"
	shift
	printf '#   %s\n' "$@"
}

driver_of() {
	[ -e "$1/driver" ] && basename "$(readlink "$1/driver")"
}

# --- The machine ------------------------------------------------------------

check_root() {
	if [ "$(id -u)" = 0 ]; then
		good "run by root"
	else
		bad "run by root" "Devices are taken from their drivers: use sudo."
	fi
}

check_kernel() {
	release=$(uname -r)
	major=${release%%.*}
	minor=${release#*.}
	minor=${minor%%[!0-9]*}
	if [ "$major" -gt 6 ] || { [ "$major" = 6 ] && [ "$minor" -ge 12 ]; }; then
		good "kernel $release"
	else
		bad "kernel $release is too old" "The modules need 6.12 or newer."
	fi
	case $(uname -m) in
	aarch64 | x86_64) good "architecture $(uname -m)" ;;
	*) bad "architecture $(uname -m)" \
		"The tests know SMMUv3 and VT-d, in arm64 and amd64 machines." ;;
	esac
}

# Is there a module of that name? -D is what all versions of modprobe have.
exists() {
	modprobe -D "$1" >/dev/null 2>&1
}

check_vfio() {
	if [ -e /sys/module/vfio_iommu_type1 ] || exists vfio_iommu_type1; then
		good "VFIO with type1"
	else
		bad "VFIO with type1" \
			"The kernel needs CONFIG_VFIO and CONFIG_VFIO_IOMMU_TYPE1."
	fi
}

# Who has the SMMU? This is what mostly is wrong.
check_smmu() {
	owners=
	for iommu in /sys/class/iommu/*; do
		[ -e "$iommu/device" ] && owners="$owners $(driver_of "$iommu/device")"
	done
	case "$owners " in
	*' smmuv3-nested '*)
		good "smmuv3-nested drives the SMMU" ;;
	*' arm-smmu-v3 '*)
		bad "the kernel's own driver has the SMMU (arm-smmu-v3)" \
			'Add to the kernel command line, and boot again:' \
			'    initcall_blacklist=arm_smmu_driver_init deferred_probe_timeout=-1' \
			'and have smmuv3-nested in the initramfs, see README.md.' ;;
	*' arm-smmu '*)
		bad "the IOMMU is an SMMU of version 1 or 2" \
			'It cannot nest, so nothing can be tested here.' ;;
	*)
		if [ -e /sys/module/smmuv3_nested ]; then
			bad "smmuv3-nested is loaded, but drives nothing" \
				"Firmware describes no SMMUv3, or its driver was loaded too late:" \
				"see what 'dmesg | grep -i smmu' says."
		else
			bad "no driver has an SMMUv3" \
				'modprobe smmuv3-nested - better from the initramfs, see README.md.'
		fi ;;
	esac
}

# The kernel's own driver keeps the hardware: it has to use scalable mode.
check_vtd() {
	found=
	for iommu in /sys/class/iommu/dmar*; do
		[ -e "$iommu/intel-iommu/ecap" ] || continue
		found=yes
		ecap=$((0x$(cat "$iommu/intel-iommu/ecap")))
		name=$(basename "$iommu")
		if [ $((ecap >> 43 & 1)) = 1 ] && [ $((ecap >> 26 & 1)) = 1 ] &&
			[ $((ecap >> 47 & 1)) = 1 ]; then
			good "$name can nest"
		else
			bad "$name cannot nest" \
				"It needs ECAP.SMTS (bit 43), NEST (26) and FSTS (47); it has 0x$(cat "$iommu/intel-iommu/ecap")."
		fi
	done
	[ -n "$found" ] || bad "no VT-d is in use" \
		"Enable VT-d in the firmware, and boot with intel_iommu=on,sm_on."
	if [ -e /sys/module/vtd_nested ] || exists vtd-nested; then
		good "vtd-nested is installed"
	else
		bad "vtd-nested is not installed" \
			"In the source tree: make modules && make modules_install"
	fi
}

check_iommu() {
	case $(uname -m) in
	x86_64) check_vtd ;;
	*) check_smmu ;;
	esac
}

check_modules() {
	for module in iommu-nested vfio-nested vfio-pci-nested; do
		name=$(echo $module | tr - _)
		if [ -e "/sys/module/$name" ]; then
			good "$module is loaded"
		elif exists $module; then
			good "$module can be loaded"
		else
			bad "$module is not installed" \
				"In the source tree: make modules && make modules_install"
		fi
	done
}

check_programs() {
	if [ -x "$dir/nested-info" ] && [ -x "$dir/engine_test" ]; then
		good "the test programs are built"
	else
		bad "the test programs are not built" \
			"make -C $dir KSFT=.../tools/testing/selftests, of any kernel source"
	fi
}

# --- A device ---------------------------------------------------------------

known_device() {
	case $(cat "$sys/$1/class") in
	0x010802) return 0 ;;
	esac
	case $(cat "$sys/$1/vendor"):$(cat "$sys/$1/device") in
	0x1234:0x11e8 | 0x1234:0x7e57 | 0x1b36:0x0005) return 0 ;;
	esac
	return 1
}

# Block devices of an NVMe drive; one with several paths has its name without cN.
disks_of() {
	for disk in "$sys/$1"/nvme/nvme*/nvme*n*; do
		[ -e "$disk" ] && basename "$disk" | sed 's/c[0-9]*n/n/'
	done
}

# What the host does with a disk, or a partition of it; nothing is good.
uses_of() {
	for part in "/sys/block/$1" "/sys/block/$1/$1"p*; do
		[ -e "$part" ] || continue
		name=$(basename "$part")
		awk -v d="/dev/$name" '$1 == d { print d " is mounted on " $2 }' /proc/mounts
		awk -v d="/dev/$name" '$1 == d { print d " is swap" }' /proc/swaps
		for holder in "$part"/holders/*; do
			[ -e "$holder" ] && echo "/dev/$name is part of $(basename "$holder")"
		done
	done
}

check_use() {
	uses=$(for disk in $(disks_of "$1"); do uses_of "$disk"; done)
	if [ -z "$uses" ]; then
		good "$1 is not in use"
	else
		bad "$1 is in use" "$uses" "Only a spare device can be tested with."
	fi
}

check_group() {
	if [ ! -e "$sys/$1/iommu_group" ] && [ ! -e "$sys/$1/driver" ]; then
		good "$1 has no IOMMU group yet: older kernels make it for a driver"
		return
	elif [ ! -e "$sys/$1/iommu_group" ]; then
		bad "$1 has no IOMMU group" \
			"No IOMMU driver has it: smmuv3-nested was loaded after its own driver," \
			"or firmware puts no IOMMU in front of it."
		return
	fi
	others=
	for other in "$sys/$1"/iommu_group/devices/*; do
		name=$(basename "$other")
		case $(cat "$other/class") in
		0x0604*) continue ;;
		esac
		[ "$name" = "$1" ] || others="$others $name"
	done
	if [ -z "$others" ]; then
		good "$1 has an IOMMU group to itself"
	else
		bad "$1 shares its IOMMU group with$others" \
			"VFIO takes a whole group. Choose a device in another slot, or one behind" \
			"a port with access control services (ACS)."
	fi
}

check_device() {
	if [ ! -e "$sys/$1" ]; then
		bad "$1 is a PCI function here" "lspci -D lists them."
		return
	fi
	if known_device "$1"; then
		good "$1 is of a kind that the tests can use"
	else
		bad "$1 is of a kind that the tests cannot use" \
			"Use an NVMe drive: class 0x010802, this is $(cat "$sys/$1/class")."
	fi
	check_group "$1"
	check_use "$1"
}

# What only an open device tells
check_nesting() {
	if report=$("$dir/run-all" --exec nested-info "$1" 2>&1); then
		good "$1 can be bound to a virtual IOMMU"
		[ -z "$verbose" ] || echo "$report" | sed 's/^/#   /'
	else
		bad "$1 cannot be bound to a virtual IOMMU" "$(echo "$report" | tail -n 1)"
	fi
}

# --- To the devices and back ------------------------------------------------

# "-" stands for no driver, "(null)" for no override.
remember_drivers() {
	for device; do
		driver=$(driver_of "$sys/$device")
		echo "$device ${driver:--} $(cat "$sys/$device/driver_override")"
	done
}

restore_drivers() {
	echo "$drivers" | while read -r device driver override; do
		now=$(driver_of "$sys/$device")
		[ "${now:--}" = "$driver" ] && continue
		[ "$override" = "(null)" ] && override=
		echo "$override" >"$sys/$device/driver_override"
		[ -z "$now" ] || echo "$device" >"$sys/$device/driver/unbind"
		[ "$driver" = - ] || echo "$device" >/sys/bus/pci/drivers_probe
		now=$(driver_of "$sys/$device")
		echo "# $device is back with ${now:-no driver}"
	done
}

echo "KTAP version 1"
echo "# what this machine has and lacks"
check_root
check_kernel
check_vfio
check_iommu
check_modules
check_programs
for device; do
	check_device "$device"
done

if [ -n "$doctor" ] || [ -n "$failed" ]; then
	echo "1..$count"
	[ -z "$failed" ]
	exit
fi

backend=
[ "$(uname -m)" != x86_64 ] || backend=vtd_nested
for module in vfio_iommu_type1 $backend vfio_pci_nested; do
	[ -e "/sys/module/$module" ] || modprobe "$module" || exit 1
done
drivers=$(remember_drivers "$@")
pages=$(cat /proc/sys/vm/nr_hugepages)
trap 'restore_drivers; echo "$pages" >/proc/sys/vm/nr_hugepages' EXIT
trap 'exit 1' INT TERM HUP
export VFIO_NESTED_DEVICES="$*"
for device; do
	check_nesting "$device"
done
echo "1..$count"
[ -z "$failed" ] || exit 1
"$dir/run-all" $verbose
