# The default configuration; an existing one is left alone.
dist_sysconf_DATA = etc/gracefuld.conf
