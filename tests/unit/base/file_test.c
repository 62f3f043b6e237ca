/* Files: whole writes, replacing, directories, sizes, and what faults do to them. */
#include "tests/unit/unit.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "perilune/err.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, 256, "%s/%s", dir, name);
    return p;
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/perilune-file-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return pl_path_remove(dir);
}

static bool holds(const char *path, pl_str want)
{
    struct pl_buf b = PL_BUF_INIT;
    bool same = pl_file_read(path, 1 << 20, &b) == PL_OK && pl_str_eq(pl_buf_view(&b), want);
    pl_buf_fini(&b);
    return same;
}

TEST(many_pieces_are_written_in_order_empty_ones_too)
{
    char text[3000];
    struct iovec iov[3002];
    for (int i = 0; i < 3000; i++) {
        text[i] = (char)('a' + i % 26);
        iov[i + 1] = (struct iovec){&text[i], 1};
    }
    iov[0] = iov[3001] = (struct iovec){NULL, 0};
    int fd = open(in_dir("pieces"), O_RDWR | O_CREAT, 0600);
    assert_int_equal(pl_file_writev(fd, iov, 3002, "test"), PL_OK);
    assert_int_equal(pl_file_write(fd, "end", 3, "test"), PL_OK);
    assert_int_equal(pl_file_sync(fd, "test"), PL_OK);
    char back[3003];
    assert_int_equal(pl_file_pread(fd, back, 3003, 0, "test"), PL_OK);
    assert_memory_equal(back, text, 3000);
    assert_memory_equal(back + 3000, "end", 3);
    assert_int_equal(pl_file_pread(fd, back, 10, 2995, "test"), PL_ECORRUPT);
    close(fd);
    assert_int_equal(pl_file_write(fd, "x", 1, "test"), PL_EINVAL);
}

TEST(a_replaced_file_has_the_new_content_and_no_temporary_beside_it)
{
    const char *path = in_dir("replaced");
    assert_int_equal(pl_file_replace(path, "one", 3), PL_OK);
    assert_true(holds(path, PL_STR("one")));
    assert_int_equal(pl_file_replace(path, "second", 6), PL_OK);
    assert_true(holds(path, PL_STR("second")));
    assert_int_equal(access(in_dir("replaced.tmp"), F_OK), -1);
    assert_int_equal(pl_file_replace(in_dir("no/such/place"), "x", 1), PL_ENOTFOUND);
}

TEST(reading_respects_its_bound_and_appends)
{
    struct pl_buf b = PL_BUF_INIT;
    assert_int_equal(pl_file_replace(in_dir("ten"), "0123456789", 10), PL_OK);
    pl_buf_z(&b, ">");
    assert_int_equal(pl_file_read(in_dir("ten"), 9, &b), PL_ELIMIT);
    assert_int_equal(b.n, 1);
    assert_int_equal(pl_file_read(in_dir("ten"), 10, &b), PL_OK);
    assert_true(pl_str_eq(pl_buf_view(&b), PL_STR(">0123456789")));
    assert_int_equal(pl_file_read(in_dir("absent"), 10, &b), PL_ENOTFOUND);
    pl_buf_fini(&b);
}

TEST(directories_are_made_with_parents_and_removed_with_all_in_them)
{
    struct stat st;
    assert_int_equal(pl_dir_make(in_dir("a/b//c/")), PL_OK);
    assert_int_equal(pl_dir_make(in_dir("a/b/c")), PL_OK);
    assert_int_equal(stat(in_dir("a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(pl_file_replace(in_dir("a/b/file"), "x", 1), PL_OK);
    assert_int_equal(pl_dir_make(in_dir("a/b/file")), PL_EEXIST);
    assert_true(pl_dir_make(in_dir("a/b/file/below")) < 0);
    assert_int_equal(symlink("/etc", in_dir("a/link")), 0);
    assert_int_equal(pl_path_remove(in_dir("a")), PL_OK);
    assert_int_equal(lstat(in_dir("a"), &st), -1);
    assert_int_equal(stat("/etc/passwd", &st), 0);
    assert_int_equal(pl_path_remove(in_dir("a")), PL_OK);
    assert_int_equal(pl_dir_sync(in_dir("a")), PL_ENOTFOUND);
}

TEST(the_disk_used_is_that_of_blocks_and_grows_with_a_file)
{
    uint64_t before = 0, after = 0, free_bytes = 0;
    static char block[1 << 16];
    memset(block, 'x', sizeof block);
    assert_int_equal(pl_disk_used(dir, &before), PL_OK);
    assert_int_equal(pl_file_replace(in_dir("large"), block, sizeof block), PL_OK);
    assert_int_equal(pl_disk_used(dir, &after), PL_OK);
    assert_true(after >= before + sizeof block);
    assert_int_equal(pl_disk_free(dir, &free_bytes), PL_OK);
    assert_true(free_bytes > 0);
    assert_int_equal(pl_disk_free(in_dir("absent"), &free_bytes), PL_ENOTFOUND);
}

TEST(errno_is_mapped_to_our_codes)
{
    assert_int_equal(pl_errno(0), PL_OK);
    assert_int_equal(pl_errno(ENOSPC), PL_ENOSPC);
    assert_int_equal(pl_errno(EDQUOT), PL_ENOSPC);
    assert_int_equal(pl_errno(ENOENT), PL_ENOTFOUND);
    assert_int_equal(pl_errno(EIO), PL_EIO);
    assert_int_equal(pl_errno(EACCES), PL_EIO);
    assert_int_equal(pl_errno(EMFILE), PL_ELIMIT);
}

#ifdef PL_FAULTS
TEST(a_failed_replacement_leaves_the_old_content)
{
    static const char *const faults[] = {"replace.write=ENOSPC", "replace.write=short",
                                         "replace.sync=EIO", "replace.rename=EIO"};
    const char *path = in_dir("faulty");
    assert_int_equal(pl_file_replace(path, "old", 3), PL_OK);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        pl_fault_set(faults[i]);
        assert_true(pl_file_replace(path, "newer", 5) < 0);
        pl_fault_set(NULL);
        assert_true(holds(path, PL_STR("old")));
        assert_int_equal(access(in_dir("faulty.tmp"), F_OK), -1);
    }
}

TEST(a_short_write_leaves_half_and_fails)
{
    int fd = open(in_dir("short"), O_RDWR | O_CREAT, 0600);
    struct iovec iov[2] = {{"abc", 3}, {"defgh", 5}};
    pl_fault_set("j.write=short,j.sync=EIO,j.read=short");
    assert_int_equal(pl_file_write(fd, "1234567", 7, "j"), PL_EIO);
    assert_int_equal(pl_file_writev(fd, iov, 2, "j"), PL_EIO);
    assert_int_equal(pl_file_sync(fd, "j"), PL_EIO);
    char back[4];
    assert_int_equal(pl_file_pread(fd, back, 4, 0, "j"), PL_ECORRUPT);
    pl_fault_set("disk.free=ENOSPC");
    uint64_t free_bytes = 1;
    assert_int_equal(pl_disk_free(dir, &free_bytes), PL_OK);
    assert_int_equal(free_bytes, 0);
    pl_fault_set(NULL);
    assert_true(holds(in_dir("short"), PL_STR("123abcd")));
    close(fd);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_pieces_are_written_in_order_empty_ones_too),
        cmocka_unit_test(a_replaced_file_has_the_new_content_and_no_temporary_beside_it),
        cmocka_unit_test(reading_respects_its_bound_and_appends),
        cmocka_unit_test(directories_are_made_with_parents_and_removed_with_all_in_them),
        cmocka_unit_test(the_disk_used_is_that_of_blocks_and_grows_with_a_file),
        cmocka_unit_test(errno_is_mapped_to_our_codes),
#ifdef PL_FAULTS
        cmocka_unit_test(a_failed_replacement_leaves_the_old_content),
        cmocka_unit_test(a_short_write_leaves_half_and_fails),
#endif
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
