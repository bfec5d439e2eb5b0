/*
 * Opens files that lie beneath a folder, whatever their names and the links on the way say.
 */
#ifndef SERVICE_HTTP_BENEATH_H
#define SERVICE_HTTP_BENEATH_H

enum {
	BENEATH_DEPTH_MAX = 64, /* of folders within each other, where beneath_walk opens them one by one */
	BENEATH_LINKS_MAX = 40, /* on the way to one file; as many as the kernel follows */
};

/*
 * Opens for reading, without waiting for anybody, what `name` means in the folder `root`: a relative path. Neither ".."
 * nor a symbolic link leads out of it, whatever somebody does to the folders at that very moment: what would is
 * -EXDEV, and so is an absolute link. Returns the descriptor, which may be a folder's, or negative errno.
 */
int beneath_open(int root, const char *name);

/* The same, by walking from folder to folder: beneath_open does that where it may not use openat2(2). */
int beneath_walk(int root, const char *name);

#endif
