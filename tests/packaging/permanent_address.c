/* A veth has no permanent address, and NetworkManager matches "mac:" by that alone. The link of an ENI has one (ethtool -P):
 * loaded before the C library, this answers with the present address. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

int ioctl(int descriptor, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, void *);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!real)
        real = dlsym(RTLD_NEXT, "ioctl");
    struct ifreq *asked = argument;
    if (request == SIOCETHTOOL && *(__u32 *)asked->ifr_data == ETHTOOL_GPERMADDR) {
        struct ethtool_perm_addr *permanent = (void *)asked->ifr_data;
        struct ifreq present = *asked;
        int status = real(descriptor, SIOCGIFHWADDR, &present);
        permanent->size = 6;
        memcpy(permanent->data, present.ifr_hwaddr.sa_data, 6);
        return status;
    }
    return real(descriptor, request, argument);
}
