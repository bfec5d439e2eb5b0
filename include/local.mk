# What modules are built with: the header, and how to find it.
gracefuldincludedir = $(includedir)/gracefuld
gracefuldinclude_HEADERS = include/gracefuld/service.h
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = include/gracefuld.pc
