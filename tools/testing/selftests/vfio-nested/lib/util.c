// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

static __thread char reason[512];

int vn_fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return err;
}

const char *vn_reason(void)
{
	return reason;
}

uint64_t vn_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

void vn_sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

int vn_read_text(const char *path, char *text, size_t size)
{
	ssize_t len;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return vn_fail(-errno, "cannot open %s: %m", path);
	len = read(fd, text, size - 1);
	if (len < 0) {
		len = vn_fail(-errno, "cannot read %s: %m", path);
		close(fd);
		return len;
	}
	close(fd);
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int vn_write_text(const char *path, const char *text)
{
	int ret = 0;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return vn_fail(-errno, "cannot open %s: %m", path);
	if (write(fd, text, strlen(text)) < 0)
		ret = vn_fail(-errno, "cannot write '%s' to %s: %m", text, path);
	close(fd);
	return ret;
}

int vn_read_hex(const char *path, uint64_t *value)
{
	char text[32];
	char *end;
	int ret;

	ret = vn_read_text(path, text, sizeof(text));
	if (ret)
		return ret;
	errno = 0;
	*value = strtoull(text, &end, 16);
	if (errno || end == text || *end)
		return vn_fail(-EINVAL, "%s holds '%s', not a number", path, text);
	return 0;
}

long vn_module_references(void)
{
	static const char *const modules[] = {
		"iommu_nested", "vfio_nested", "vfio_pci_nested", "smmuv3_nested",
	};
	char path[64], text[32];
	long sum = 0;
	size_t i;

	for (i = 0; i < VN_ARRAY_SIZE(modules); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s/refcnt", modules[i]);
		if (!vn_read_text(path, text, sizeof(text)))
			sum += atol(text);
	}
	return sum;
}

long vn_module_references_settle(long want)
{
	uint64_t end = vn_now_ms() + VN_TIMEOUT_MS;
	long now;

	do {
		now = vn_module_references();
		if (now == want)
			break;
		vn_sleep_ms(1);
	} while (vn_now_ms() < end);
	return now;
}
