// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "race.h"
#include "util.h"

unsigned int vn_race_ms(void)
{
	const char *text = getenv("VFIO_NESTED_RACE_MS");

	return text ? atoi(text) : 1000;
}

unsigned int vn_choose(struct vn_racer *racer, unsigned int limit)
{
	return rand_r(&racer->seed) % limit;
}

void vn_race_count(struct vn_racer *racer, unsigned int calls)
{
	__atomic_fetch_add(&racer->race->calls, calls, __ATOMIC_RELAXED);
}

int vn_race_expect(struct vn_racer *racer, const char *call, int ret, ...)
{
	struct vn_race *race = racer->race;
	bool good = !ret;
	va_list args;
	int may;

	va_start(args, ret);
	while ((may = va_arg(args, int)))
		good |= ret == may;
	va_end(args);
	vn_race_count(racer, 1);
	if (!good && !__atomic_exchange_n(&race->bad_result, ret, __ATOMIC_RELAXED))
		race->bad_call = call;
	return ret;
}

static void *run(void *data)
{
	struct vn_racer *racer = data;

	while (!__atomic_load_n(&racer->race->stop, __ATOMIC_RELAXED)) {
		racer->step(racer);
		racer->steps++;
	}
	return NULL;
}

int vn_race_start(struct vn_race *race, void *data, const vn_step *steps,
		  unsigned int num)
{
	struct vn_racer *racer;
	int err;

	memset(race, 0, sizeof(*race));
	if (num > VN_RACERS)
		return vn_fail(-EINVAL, "a race of more than %u threads", VN_RACERS);
	while (race->num < num) {
		racer = &race->racers[race->num];
		racer->race = race;
		racer->data = data;
		racer->step = steps[race->num];
		racer->seed = race->num + 1;
		err = pthread_create(&racer->thread, NULL, run, racer);
		if (err) {
			vn_race_stop(race);
			return vn_fail(-err, "pthread_create: %s", strerror(err));
		}
		race->num++;
	}
	return 0;
}

int vn_race_stop(struct vn_race *race)
{
	unsigned int i;

	__atomic_store_n(&race->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < race->num; i++)
		pthread_join(race->racers[i].thread, NULL);
	race->num = 0;
	if (race->bad_result)
		return vn_fail(race->bad_result, "%s: %s", race->bad_call,
			       strerror(-race->bad_result));
	return 0;
}

int vn_race_run(struct vn_race *race, void *data, const vn_step *steps,
		unsigned int num)
{
	int ret = vn_race_start(race, data, steps, num);

	if (ret)
		return ret;
	vn_sleep_ms(vn_race_ms());
	return vn_race_stop(race);
}
