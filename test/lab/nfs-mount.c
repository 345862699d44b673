/*
 * Stands in for mount.nfs where the kernel has no NFS client: a FUSE file system over libnfs, so that what is mounted is a
 * real share of a real server, and a host's `mount -t nfs` works as it does elsewhere. Of what mount.nfs can it does what
 * storage pools need. No locks between hosts.
 *
 *   nfs-mount SERVER:/EXPORT DIRECTORY [-o OPTIONS, which are ignored]
 */
#define FUSE_USE_VERSION 35
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <nfsc/libnfs.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct nfs_context *share;
/* a context serves one thread at a time */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define IN_TURN(call)                  \
  ({                                   \
    pthread_mutex_lock(&turn);         \
    int64_t result_ = (call);          \
    pthread_mutex_unlock(&turn);       \
    (int)result_;                      \
  })

static struct nfsfh *handle_of(struct fuse_file_info *info) { return (struct nfsfh *)(uintptr_t)info->fh; }

static int get_attributes(const char *path, struct stat *to, struct fuse_file_info *info) {
  (void)info;
  struct nfs_stat_64 from;
  int result = IN_TURN(nfs_lstat64(share, path, &from));
  if (result) return result;
  memset(to, 0, sizeof *to);
  to->st_ino = from.nfs_ino;
  to->st_mode = from.nfs_mode;
  to->st_nlink = from.nfs_nlink;
  to->st_uid = from.nfs_uid;
  to->st_gid = from.nfs_gid;
  to->st_size = from.nfs_size;
  to->st_blksize = from.nfs_blksize;
  to->st_blocks = from.nfs_used / 512;
  to->st_atim = (struct timespec){from.nfs_atime, from.nfs_atime_nsec};
  to->st_mtim = (struct timespec){from.nfs_mtime, from.nfs_mtime_nsec};
  to->st_ctim = (struct timespec){from.nfs_ctime, from.nfs_ctime_nsec};
  return 0;
}

static int read_directory(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                          struct fuse_file_info *info, enum fuse_readdir_flags flags) {
  (void)offset, (void)info, (void)flags;
  struct nfsdir *directory;
  int result = IN_TURN(nfs_opendir(share, path, &directory));
  if (result) return result;
  pthread_mutex_lock(&turn);
  for (struct nfsdirent *entry; (entry = nfs_readdir(share, directory));) fill(buffer, entry->name, NULL, 0, 0);
  nfs_closedir(share, directory);
  pthread_mutex_unlock(&turn);
  return 0;
}

/* what one host writes the other must see: nothing is kept in the page cache */
static int opened(int result, struct nfsfh *handle, struct fuse_file_info *info) {
  if (result) return result;
  info->fh = (uintptr_t)handle;
  info->direct_io = 1;
  return 0;
}

static int open_file(const char *path, struct fuse_file_info *info) {
  struct nfsfh *handle = NULL;
  int result = IN_TURN(nfs_open(share, path, info->flags & (O_ACCMODE | O_TRUNC), &handle));
  return opened(result, handle, info);
}

static int create_file(const char *path, mode_t mode, struct fuse_file_info *info) {
  struct nfsfh *handle = NULL;
  int flags = (info->flags & (O_ACCMODE | O_EXCL | O_TRUNC)) | O_CREAT;
  int result = IN_TURN(nfs_create(share, path, flags, mode & 07777, &handle));
  return opened(result, handle, info);
}

static int read_file(const char *path, char *to, size_t count, off_t offset, struct fuse_file_info *info) {
  (void)path;
  size_t done = 0;
  while (done < count) {
    int result = IN_TURN(nfs_pread(share, handle_of(info), offset + done, count - done, to + done));
    if (result < 0) return result;
    if (result == 0) break;
    done += result;
  }
  return (int)done;
}

static int write_file(const char *path, const char *from, size_t count, off_t offset, struct fuse_file_info *info) {
  (void)path;
  size_t done = 0;
  while (done < count) {
    int result = IN_TURN(nfs_pwrite(share, handle_of(info), offset + done, count - done, (void *)(from + done)));
    if (result <= 0) return result ? result : -EIO;
    done += result;
  }
  return (int)done;
}

static int sync_file(const char *path, int only_data, struct fuse_file_info *info) {
  (void)path, (void)only_data;
  return IN_TURN(nfs_fsync(share, handle_of(info)));
}

/* every write to the server has been stable: there is nothing of a directory to be written */
static int sync_directory(const char *path, int only_data, struct fuse_file_info *info) {
  (void)path, (void)only_data, (void)info;
  return 0;
}

static int close_file(const char *path, struct fuse_file_info *info) {
  (void)path;
  return IN_TURN(nfs_close(share, handle_of(info)));
}

static int set_length(const char *path, off_t length, struct fuse_file_info *info) {
  return info && info->fh ? IN_TURN(nfs_ftruncate(share, handle_of(info), length))
                          : IN_TURN(nfs_truncate(share, path, length));
}

static int make_directory(const char *path, mode_t mode) { return IN_TURN(nfs_mkdir2(share, path, mode & 07777)); }
static int remove_directory(const char *path) { return IN_TURN(nfs_rmdir(share, path)); }
static int remove_file(const char *path) { return IN_TURN(nfs_unlink(share, path)); }
static int link_file(const char *from, const char *to) { return IN_TURN(nfs_link(share, from, to)); }
static int rename_file(const char *from, const char *to, unsigned flags) {
  return flags ? -EINVAL : IN_TURN(nfs_rename(share, from, to));
}
static int set_mode(const char *path, mode_t mode, struct fuse_file_info *info) {
  (void)info;
  return IN_TURN(nfs_chmod(share, path, mode & 07777));
}
static int set_owner(const char *path, uid_t user, gid_t group, struct fuse_file_info *info) {
  (void)info;
  return IN_TURN(nfs_lchown(share, path, user, group));
}

static int set_times(const char *path, const struct timespec times[2], struct fuse_file_info *info) {
  (void)info;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct timeval values[2];
  for (int i = 0; i < 2; i++) {
    int is_now = times[i].tv_nsec == UTIME_NOW || times[i].tv_nsec == UTIME_OMIT;
    values[i].tv_sec = is_now ? now.tv_sec : times[i].tv_sec;
    values[i].tv_usec = (is_now ? now.tv_nsec : times[i].tv_nsec) / 1000;
  }
  return IN_TURN(nfs_utimes(share, path, values));
}

static int get_space(const char *path, struct statvfs *to) { return IN_TURN(nfs_statvfs(share, path, to)); }

static void *begin(struct fuse_conn_info *connection, struct fuse_config *settings) {
  connection->max_read = 1024 * 1024;
  settings->use_ino = 1;
  settings->hard_remove = 1;
  settings->attr_timeout = settings->entry_timeout = settings->negative_timeout = 0;
  return NULL;
}

static const struct fuse_operations operations = {
    .init = begin,           .getattr = get_attributes, .readdir = read_directory, .open = open_file,
    .create = create_file,   .read = read_file,         .write = write_file,       .fsync = sync_file,
    .fsyncdir = sync_directory, .release = close_file,  .truncate = set_length,    .mkdir = make_directory,
    .rmdir = remove_directory,  .unlink = remove_file,  .rename = rename_file,     .link = link_file,
    .chmod = set_mode,       .chown = set_owner,        .utimens = set_times,      .statfs = get_space,
};

int main(int count, char **arguments) {
  const char *colon = count >= 3 ? strstr(arguments[1], ":/") : NULL;
  if (!colon) {
    fprintf(stderr, "usage: %s SERVER:/EXPORT DIRECTORY\n", arguments[0]);
    return 1;
  }
  char server[256], options[512];
  snprintf(server, sizeof server, "%.*s", (int)(colon - arguments[1]), arguments[1]);
  share = nfs_init_context();
  nfs_set_timeout(share, 20000);
  nfs_set_uid(share, geteuid());
  nfs_set_gid(share, getegid());
  if (nfs_mount(share, server, colon + 1)) {
    fprintf(stderr, "mount.nfs: %s: %s\n", arguments[1], nfs_get_error(share));
    return 32;
  }
  snprintf(options, sizeof options, "fsname=%s,subtype=nfs,allow_other,default_permissions,max_read=1048576", arguments[1]);
  char *fuse_arguments[] = {arguments[0], arguments[2], "-o", options, NULL};
  return fuse_main(4, fuse_arguments, &operations, NULL);
}
