dist_man_MANS += man/gracefuld.8 man/gracefuld.conf.5 man/gracefuld-worker.7
