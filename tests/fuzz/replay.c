/* Stands in for libFuzzer's main: runs a fuzz target over the files of a corpus, so that gcc, plain
 * and sanitizer builds replay what was found. Each file is also tried cut to half its length. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (16u << 20)

/** Run a copy of exactly n bytes, so that a sanitizer sees a read behind its end. */
static void run(const uint8_t *data, size_t n)
{
    uint8_t *copy = calloc(1, n ? n : 1);
    if (!copy) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        copy[i] = data[i];
    }
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 0;
    }
    uint8_t *data = malloc(INPUT_MAX);
    if (!data) {
        abort();
    }
    size_t n = fread(data, 1, INPUT_MAX, f);
    fclose(f);
    run(data, n);
    run(data, n / 2);
    free(data);
    return 1;
}

static int run_dir(const char *path)
{
    DIR *d = opendir(path);
    if (!d) {
        perror(path);
        return 0;
    }
    int done = 0;
    for (struct dirent *e; (e = readdir(d));) {
        char name[4096];
        struct stat st;
        int len = snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (len < (int)sizeof name && stat(name, &st) == 0 && S_ISREG(st.st_mode)) {
            done += run_file(name);
        }
    }
    closedir(d);
    return done;
}

int main(int argc, char **argv)
{
    int done = 0;
    run((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            perror(argv[i]);
            return 1;
        }
        done += S_ISDIR(st.st_mode) ? run_dir(argv[i]) : run_file(argv[i]);
    }
    printf("%d inputs replayed\n", done);
    return done > 0 ? 0 : 1;
}
