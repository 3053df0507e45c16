/*
 * The load generator: N connections on one epoll loop fetch one path from 127.0.0.1 again and again, throw the bytes
 * away and count them. It must never be what is measured: no allocation per request, no chunked bodies, one thread.
 * A short body, a status other than 2xx or a body without Content-Length is a failure and is counted as such.
 *
 *   load PORT PATH [--connections N] [--seconds S | --requests N] [--range A-B] [--head] [--fresh] [--copy] [--timeout S]
 *                  [--parts BYTES | --mixed BYTES] [--paths FILE | --shared FILE] [--every MS] [--unless ETAG]
 *
 * --requests is per connection; with --parts each of the N connections asks for its own N-th of so many bytes, with --mixed
 * every second one does and the others ask for all of them; --fresh opens a new connection for each request; with --unless only
 * 304 will do. --paths: FILE holds a path a line, or "path first-last" for a range; each connection asks for all of them once, in their order, from a
 * manifest of its own on (PATH is not asked for). --shared: each is asked for once, by the next connection that is free. --every:
 * a connection waits so long from one request to the next. Prints one line of JSON, also when it is ended by SIGTERM.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1 << 20)
#define HEAD_BYTES 16384
#define MOST_SAMPLES (1 << 20)
#define REQUEST_BYTES 2048
#define MOST_PATHS 16384

typedef struct {
  int fd;
  bool connected, reading_body, closing;
  size_t request_sent, head_length;
  uint64_t left, request_ns;
  bool first_seen;
  long finished;
  uint64_t due_ns, ended_ns; /* due_ns: when its next request may begin, 0 when it need not wait */
  char head[HEAD_BYTES];
  char request[REQUEST_BYTES];
  size_t request_length;
} Connection;

static int port, epoll_fd, connections = 1;
static long requests_each = 0;
static double seconds_limit = 0, timeout_s = 120;
static bool head_only = false, fresh = false, copy_bytes = false, mixed = false;
static const char *path, *range = NULL, *unless = NULL;
static unsigned long long parts_of = 0;
static char *buffer;
static float *first_byte_ms, *whole_ms;
static Connection *all;
static char *paths[MOST_PATHS], *ranges[MOST_PATHS];
static bool shared = false;
static long path_count = 0, shared_next = 0, whole_samples = 0;
static double every_ms = 0;
static long samples = 0, finished_total = 0, failures = 0, open_count = 0;
static int last_status = 0;
static volatile sig_atomic_t stopped = 0;
static uint64_t body_bytes = 0, started_ns;
static char last_error[256] = "";

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void on_stop(int signal) {
  (void)signal;
  stopped = 1;
}

static bool time_is_up(void) {
  if (stopped) return true;
  return seconds_limit > 0 && (double)(now_ns() - started_ns) / 1e9 >= seconds_limit;
}

static void write_request(Connection *c, const char *of, const char *bytes) {
  char range_line[128] = "", unless_line[256] = "";
  if (unless) snprintf(unless_line, sizeof unless_line, "If-None-Match: %s\r\n", unless);
  if (bytes) snprintf(range_line, sizeof range_line, "Range: bytes=%s\r\n", bytes);
  c->request_length = (size_t)snprintf(
      c->request, sizeof c->request,
      "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: granary-bench\r\n"
      "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, */*\r\n"
      "%s%s%s\r\n",
      head_only ? "HEAD" : "GET", of, port, range_line, unless_line, fresh ? "Connection: close\r\n" : "");
}

/* Where a connection begins: a crowd asks for all of the list at once, and for what a manifest lists after the manifest. */
static long first_path(const Connection *c) {
  long at = (c - all) * path_count / connections;
  while (at > 0 && !strstr(paths[at], "/manifests/")) at--;
  return at;
}

static void write_next_path(Connection *c) {
  long at = shared ? shared_next++ : (first_path(c) + c->finished) % path_count;
  write_request(c, paths[at], ranges[at]);
}

static void begin_request(Connection *c) {
  if (path_count > 0) write_next_path(c);
  c->request_sent = 0;
  c->head_length = 0;
  c->reading_body = false;
  c->first_seen = false;
  c->closing = fresh;
  c->request_ns = now_ns();
}

static void watch(Connection *c, int operation, uint32_t events) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll_fd, operation, c->fd, &e) != 0) die("epoll_ctl");
}

static void open_connection(Connection *c) {
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) die("socket");
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) die("connect");
  begin_request(c);
  open_count++;
  watch(c, EPOLL_CTL_ADD, EPOLLOUT | EPOLLIN);
}

static void close_connection(Connection *c) {
  close(c->fd);
  c->ended_ns = now_ns();
  c->fd = -1;
  open_count--;
}

static bool wants_more(const Connection *c) {
  if (seconds_limit > 0) return !time_is_up();
  if (shared) return shared_next < path_count;
  return c->finished < requests_each;
}

static void send_request(Connection *c) {
  while (c->request_sent < c->request_length) {
    ssize_t n = send(c->fd, c->request + c->request_sent, c->request_length - c->request_sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      watch(c, EPOLL_CTL_MOD, EPOLLOUT | EPOLLIN);
      return;
    }
    if (n < 0) return; /* the read side reports what happened */
    c->request_sent += (size_t)n;
  }
}

static void next_request(Connection *c) {
  bool more = wants_more(c);
  if (more && !c->closing && every_ms > 0) {
    c->due_ns = c->request_ns + (uint64_t)(every_ms * 1e6);
    return;
  }
  if (more && !c->closing) {
    begin_request(c);
    send_request(c);
    return;
  }
  close_connection(c);
  if (more) open_connection(c);
}

static void fail(Connection *c, const char *why) {
  failures++;
  c->finished++;
  snprintf(last_error, sizeof last_error, "%s", why);
  c->closing = true;
  next_request(c);
}

static void send_due(void) {
  uint64_t now = now_ns();
  for (int i = 0; i < connections; i++) {
    Connection *c = &all[i];
    if (c->fd < 0 || c->due_ns == 0 || c->due_ns > now) continue;
    c->due_ns = 0;
    if (!wants_more(c)) {
      close_connection(c);
      continue;
    }
    begin_request(c);
    send_request(c);
  }
}

static void finish(Connection *c) {
  if (whole_samples < MOST_SAMPLES) whole_ms[whole_samples++] = (float)((double)(now_ns() - c->request_ns) / 1e6);
  c->finished++;
  finished_total++;
  next_request(c);
}

static void note_first_byte(Connection *c) {
  if (c->first_seen) return;
  c->first_seen = true;
  if (samples < MOST_SAMPLES) first_byte_ms[samples++] = (float)((double)(now_ns() - c->request_ns) / 1e6);
}

/* The value of one header in c->head, which is NUL-terminated; NULL when it is not there. */
static const char *header(Connection *c, const char *name) {
  size_t length = strlen(name);
  for (const char *line = strstr(c->head, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
      line += length + 1;
      while (*line == ' ') line++;
      return line;
    }
  }
  return NULL;
}

static void take_body(Connection *c, size_t n) {
  if (n > 0) note_first_byte(c);
  if (n > c->left) {
    fail(c, "more bytes than Content-Length said");
    return;
  }
  body_bytes += n;
  c->left -= n;
  if (c->left == 0) finish(c);
}

/* Takes bytes of the head; when it is whole, goes on with what follows it as body. */
static void take_head(Connection *c, const char *data, size_t n) {
  size_t before = c->head_length;
  size_t take = n < HEAD_BYTES - 1 - before ? n : HEAD_BYTES - 1 - before;
  memcpy(c->head + before, data, take);
  c->head[before + take] = 0;
  c->head_length += take;
  char *end = strstr(c->head + (before > 3 ? before - 3 : 0), "\r\n\r\n");
  if (!end) {
    if (c->head_length == HEAD_BYTES - 1) fail(c, "response head too long");
    return;
  }
  size_t head_bytes = (size_t)(end - c->head) + 4;
  end[2] = 0;
  last_status = atoi(c->head + 9);
  const char *length = header(c, "content-length"), *connection = header(c, "connection");
  if (connection && strncasecmp(connection, "close", 5) == 0) c->closing = true;
  if (unless ? last_status != 304 : last_status < 200 || last_status > 299) {
    char why[64];
    snprintf(why, sizeof why, "status %d", last_status);
    fail(c, why);
    return;
  }
  bool bodiless = head_only || unless;
  if (!length && !bodiless) {
    fail(c, "no Content-Length");
    return;
  }
  c->left = bodiless ? 0 : strtoull(length, NULL, 10);
  c->reading_body = true;
  if (c->left == 0) {
    note_first_byte(c);
    finish(c);
    return;
  }
  size_t rest = n - (head_bytes - before);
  if (rest > 0) take_body(c, rest);
}

static void on_readable(Connection *c) {
  /* MSG_TRUNC (tcp(7)): the kernel drops the bytes in place of copying them. A copying client is the slowest part of a
     loopback test: against sendfile it uses a whole core, and then every contender looks alike. --copy asks for it. */
  ssize_t n = recv(c->fd, buffer, BUFFER_BYTES, c->reading_body && !copy_bytes ? MSG_TRUNC : 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0) {
    fail(c, strerror(errno));
    return;
  }
  if (n == 0) {
    fail(c, "closed before the end");
    return;
  }
  if (c->reading_body) take_body(c, (size_t)n);
  else take_head(c, buffer, (size_t)n);
}

static void on_event(Connection *c, uint32_t events) {
  if (events & EPOLLOUT) {
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    send_request(c);
  }
  if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) on_readable(c);
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

static double part_of(const float *sorted, long count, double part) {
  return count ? (double)sorted[(long)((double)(count - 1) * part)] : -1.0;
}

/* When the connections had all that they asked for: the first of them, the one in the middle and the last. */
static void print_ends(void) {
  float *ends = malloc((size_t)connections * sizeof *ends);
  long count = 0;
  for (int i = 0; ends && i < connections; i++)
    if (all[i].ended_ns) ends[count++] = (float)((double)(all[i].ended_ns - started_ns) / 1e9);
  qsort(ends, (size_t)count, sizeof *ends, by_size);
  printf("\"ends\":{\"count\":%ld,\"first\":%.3f,\"median\":%.3f,\"last\":%.3f},", count, part_of(ends, count, 0),
         part_of(ends, count, 0.5), part_of(ends, count, 1));
  free(ends);
}

static void report(void) {
  double took = (double)(now_ns() - started_ns) / 1e9;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  qsort(first_byte_ms, (size_t)samples, sizeof *first_byte_ms, by_size);
  qsort(whole_ms, (size_t)whole_samples, sizeof *whole_ms, by_size);
  printf("{");
  print_ends();
  printf("\"wholeMs\":%.3f,\"wholeP99Ms\":%.3f,\"wholeWorstMs\":%.3f,\"firstByteP99Ms\":%.3f,",
         part_of(whole_ms, whole_samples, 0.5), part_of(whole_ms, whole_samples, 0.99),
         part_of(whole_ms, whole_samples, 1), part_of(first_byte_ms, samples, 0.99));
  printf("\"seconds\":%.6f,\"bytes\":%llu,\"requests\":%ld,\"failures\":%ld,\"status\":%d,"
         "\"firstByteMs\":%.3f,\"firstByteWorstMs\":%.3f,\"cpuSeconds\":%.3f,\"error\":\"%s\"}\n",
         took, (unsigned long long)body_bytes, finished_total, failures, last_status,
         part_of(first_byte_ms, samples, 0.5), part_of(first_byte_ms, samples, 1), cpu, last_error);
}

static void load_paths(const char *file) {
  FILE *list = fopen(file, "r");
  if (!list) die(file);
  char line[REQUEST_BYTES];
  while (fgets(line, sizeof line, list) && path_count < MOST_PATHS) {
    line[strcspn(line, "\n")] = 0;
    char *space = strchr(line, ' ');
    if (space) *space++ = 0;
    ranges[path_count] = space ? strdup(space) : NULL;
    paths[path_count++] = strdup(line);
  }
  fclose(list);
  requests_each = path_count;
}

static void parse_arguments(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: load PORT PATH [options]\n");
    exit(2);
  }
  port = atoi(argv[1]);
  path = argv[2];
  for (int i = 3; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(argv[i], "--fresh")) fresh = true;
    else if (!strcmp(argv[i], "--copy")) copy_bytes = true;
    else if (!strcmp(argv[i], "--head")) head_only = true;
    else if (!strcmp(argv[i], "--connections")) connections = atoi(value), i++;
    else if (!strcmp(argv[i], "--requests")) requests_each = atol(value), i++;
    else if (!strcmp(argv[i], "--seconds")) seconds_limit = atof(value), i++;
    else if (!strcmp(argv[i], "--timeout")) timeout_s = atof(value), i++;
    else if (!strcmp(argv[i], "--every")) every_ms = atof(value), i++;
    else if (!strcmp(argv[i], "--paths")) load_paths(value), i++;
    else if (!strcmp(argv[i], "--shared")) load_paths(value), shared = true, i++;
    else if (!strcmp(argv[i], "--range")) range = value, i++;
    else if (!strcmp(argv[i], "--unless")) unless = value, i++;
    else if (!strcmp(argv[i], "--parts")) parts_of = strtoull(value, NULL, 10), i++;
    else if (!strcmp(argv[i], "--mixed")) parts_of = strtoull(value, NULL, 10), mixed = true, i++;
    else {
      fprintf(stderr, "load: unknown option %s\n", argv[i]);
      exit(2);
    }
  }
  if (requests_each == 0 && seconds_limit == 0) requests_each = 1;
}

/* What a connection asks for again and again where there are no --paths. */
static void write_own_request(Connection *c, int index) {
  char part[64];
  const char *bytes = range;
  if (!range && parts_of > 0 && !(mixed && index % 2 == 0)) {
    unsigned long long size = (parts_of + (unsigned)connections - 1) / (unsigned)connections, first = size * (unsigned)index;
    unsigned long long last = first + size < parts_of ? first + size - 1 : parts_of - 1;
    snprintf(part, sizeof part, "%llu-%llu", first, last);
    bytes = part;
  }
  write_request(c, path, bytes);
}

int main(int argc, char **argv) {
  parse_arguments(argc, argv);
  signal(SIGTERM, on_stop);
  buffer = malloc(BUFFER_BYTES);
  first_byte_ms = malloc(MOST_SAMPLES * sizeof *first_byte_ms);
  whole_ms = malloc(MOST_SAMPLES * sizeof *whole_ms);
  all = calloc((size_t)connections, sizeof *all);
  epoll_fd = epoll_create1(0);
  if (!buffer || !first_byte_ms || !whole_ms || !all || epoll_fd < 0) die("set-up");
  started_ns = now_ns();
  for (int i = 0; i < connections; i++) write_own_request(&all[i], i), open_connection(&all[i]);
  struct epoll_event events[256];
  while (open_count > 0 && !time_is_up()) {
    if ((double)(now_ns() - started_ns) / 1e9 > timeout_s) {
      failures += open_count;
      snprintf(last_error, sizeof last_error, "timed out after %.0f s", timeout_s);
      break;
    }
    int n = epoll_wait(epoll_fd, events, 256, every_ms > 0 ? 1 : 50);
    for (int i = 0; i < n; i++) on_event(events[i].data.ptr, events[i].events);
    if (every_ms > 0) send_due();
  }
  report();
  return 0;
}
