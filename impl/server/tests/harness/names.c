/* Host names that end in ".test" mean what the file $NAMES_FILE says at that moment: lines "name address". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    look_up *real = (look_up *)dlsym(RTLD_NEXT, "getaddrinfo");
    const char *end = node ? strrchr(node, '.') : NULL;
    if (end == NULL || strcmp(end, ".test") != 0) {
        return real(node, service, hints, found);
    }
    const char *file = getenv("NAMES_FILE");
    FILE *lines = file ? fopen(file, "r") : NULL;
    if (lines == NULL) {
        return EAI_FAIL;
    }
    char name[256], address[64];
    int result = EAI_NONAME;
    while (result == EAI_NONAME && fscanf(lines, "%255s %63s", name, address) == 2) {
        if (strcmp(name, node) == 0) {
            result = real(address, service, hints, found);
        }
    }
    fclose(lines);
    return result;
}
