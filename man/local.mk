dist_man_MANS += man/gracefulctl.1 man/gracefuld.8 man/gracefuld.conf.5 man/gracefuld-worker.7 man/gracefuld-module.3
