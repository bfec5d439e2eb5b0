/*
 * A share of the time: what is owed for work, and grows less with time.
 */
#include "base/pace.h"

uint64_t
pace_work(struct pace *pace, uint64_t now_us, uint64_t worked_us)
{
	uint64_t past_us = now_us - pace->at_us;

	past_us -= past_us < worked_us ? past_us : worked_us;
	pace->owed_us = pace->owed_us > past_us ? pace->owed_us - past_us : 0;
	pace->owed_us += worked_us * pace->rest;
	if (pace->owed_us > pace->credit_us + PACE_OWED_MAX_US)
		pace->owed_us = pace->credit_us + PACE_OWED_MAX_US;
	pace->at_us = now_us;
	return pace->owed_us > pace->credit_us ? pace->owed_us - pace->credit_us : 0;
}
