/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small things that all of the library needs: the reason of the last failure,
 * deadlines, sysfs, and access to memory that a device shares.
 *
 * Functions of this library return 0 or a count, or a negative errno; whoever
 * returns the error first also leaves one sentence for a person with vn_fail().
 */
#ifndef VN_UTIL_H
#define VN_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VN_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define VN_BIT(n)		(1ULL << (n))

/* A device, or the event it causes, that takes longer than this is broken. */
#define VN_TIMEOUT_MS		5000

/* Keeps the sentence for vn_reason() and returns @err. */
int vn_fail(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *vn_reason(void);

uint64_t vn_now_ms(void);
void vn_sleep_ms(unsigned int ms);

int vn_read_text(const char *path, char *text, size_t size);
int vn_write_text(const char *path, const char *text);
int vn_read_hex(const char *path, uint64_t *value);

static inline uint64_t vn_align(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

/* @width bits of @value, put at bit @shift. A macro, to be used in constants. */
#define vn_field(value, shift, width) \
	(((uint64_t)(value) & (~0ULL >> (64 - (width)))) << (shift))

static inline uint64_t vn_get_field(uint64_t word, unsigned int shift,
				    unsigned int width)
{
	return (word >> shift) & (~0ULL >> (64 - width));
}

/*
 * Orders this CPU's accesses to memory and to device registers, as a device
 * sees them. The compiler's own fences order CPUs only.
 */
static inline void vn_barrier(void)
{
#if defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
	asm volatile("dsb sy" ::: "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* References to our modules that are held; each module that is not there adds 0. */
long vn_module_references(void);
/*
 * The same, when they are @want, or VN_TIMEOUT_MS later: files are closed by the
 * kernel a moment after the process has ended.
 */
long vn_module_references_settle(long want);

/* Memory that a device or the kernel writes behind the compiler's back. */
#define vn_read_once(p)		(*(const volatile __typeof__(*(p)) *)(p))
#define vn_write_once(p, v)	(*(volatile __typeof__(*(p)) *)(p) = (v))

#endif /* VN_UTIL_H */
