# AX_GRACEFULD_C17: the compiler's switch for C17 with GNU extensions
AC_DEFUN([AX_GRACEFULD_C17], [
	AC_MSG_CHECKING([for the switch that makes $CC speak C17])
	ax_save_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS -std=gnu17"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[_Static_assert(__STDC_VERSION__ >= 201710L, "C17");]])],
		[AC_MSG_RESULT([-std=gnu17]); STD_CFLAGS=-std=gnu17],
		[AC_MSG_RESULT([none]); AC_MSG_ERROR([a C17 compiler is needed])])
	CFLAGS=$ax_save_CFLAGS
	AC_SUBST([STD_CFLAGS])
])

# AX_GRACEFULD_WARNINGS: the warnings that the tree is kept free of; --enable-werror makes them errors
AC_DEFUN([AX_GRACEFULD_WARNINGS], [
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])],
		[], [enable_werror=no])
	WARN_CFLAGS="-Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2"
	WARN_CFLAGS="$WARN_CFLAGS -Wpointer-arith -Wwrite-strings -Wvla"
	AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	AC_SUBST([WARN_CFLAGS])
])
