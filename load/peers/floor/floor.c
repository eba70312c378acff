/* The floor: what the kernel alone asks for a delivery. Takes N connections, then sends one WebSocket frame
 * to each of them, again and again, as one write per socket; nothing else is done. Prints the CPU time that
 * sending took, in nanoseconds per write.
 *
 *   floor PORT CONNECTIONS EVENTS PER_SECOND BYTES
 *
 * The frames are events as the gateway sends them: their meta carries a rising seq, which clients check.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double cpu(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "floor PORT CONNECTIONS EVENTS PER_SECOND BYTES\n");
        return 2;
    }
    int port = atoi(argv[1]), connections = atoi(argv[2]), events = atoi(argv[3]);
    double pause = 1.0 / atof(argv[4]);
    int payload = atoi(argv[5]);

    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        return fail("listen");
    printf("ready\n");
    fflush(stdout);

    int *sockets = calloc(connections, sizeof *sockets);
    for (int i = 0; i < connections; i++) {
        sockets[i] = accept(listener, NULL, NULL);
        if (sockets[i] < 0)
            return fail("accept");
        setsockopt(sockets[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    char go[2];
    if (!fgets(go, sizeof go, stdin))
        return fail("stdin");

    char *frame = malloc(payload + 256), *text = malloc(payload + 256), *filler = malloc(payload + 1);
    memset(filler, 'x', payload);
    filler[payload] = 0;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    double spent = 0;
    for (int event = 1; event <= events; event++) {
        const char *form = "42[\"floor\",{\"filler\":\"%.*s\"},{\"topic\":\"floor\",\"seq\":%d,"
                           "\"at\":\"2026-01-01T00:00:00.000000Z\"}]";
        int bare = snprintf(NULL, 0, form, 0, filler, event);
        int size = snprintf(text, payload + 256, form, payload > bare ? payload - bare : 0, filler, event);
        int head = 2;
        frame[0] = (char)0x81;
        if (size < 126) {
            frame[1] = size;
        } else {
            head = 4;
            frame[1] = 126;
            frame[2] = size >> 8;
            frame[3] = size & 255;
        }
        memcpy(frame + head, text, size);
        double began = cpu();
        for (int i = 0; i < connections; i++)
            if (send(sockets[i], frame, head + size, MSG_NOSIGNAL) != head + size)
                return fail("send");
        spent += cpu() - began;
        long nanoseconds = next.tv_nsec + (long)(pause * 1e9);
        next.tv_sec += nanoseconds / 1000000000;
        next.tv_nsec = nanoseconds % 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("%.0f\n", spent * 1e9 / ((double)events * connections));
    fflush(stdout);
    return fgets(go, sizeof go, stdin) ? 0 : 0;
}
