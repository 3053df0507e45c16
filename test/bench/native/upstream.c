/*
 * The upstream of the bench: a registry that serves a fixed table of files by sendfile and counts, per path, what it
 * was asked and how many body bytes it sent. It must never be what is measured: one epoll loop, no copy of the bytes.
 * It can cap each connection's bandwidth, as a content network does.
 *
 *   upstream TABLE BYTES_PER_SECOND     (0: no cap)
 *
 * TABLE holds one entry a line, tab-separated: path, media type, digest, file, and where it is larger than its file, its size:
 * then it is the file again and again. Prints its port on the first line. GET /-/counts answers with the account as JSON, and
 * GET /-/counts/PATH with that of one path; GET /-/reset sets it to zero.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_ENTRIES 1024
#define MOST_CONNECTIONS 4096
#define HEAD_BYTES 8192
#define CHUNK_BYTES (1 << 20)
#define TICK_MS 2
/* A capped connection sends at least this much at once, so that a wake-up is worth its cost. */
#define LEAST_PACED_BYTES 32768

typedef struct {
  char path[512], type[128], digest[160];
  int fd;
  uint64_t size, file_size;
  uint64_t gets, heads, bytes;
} Entry;

typedef struct {
  int fd; /* -1: free */
  char in[HEAD_BYTES];
  size_t in_length;
  char out[16384];
  size_t out_length, out_sent;
  Entry *entry; /* body to send, or NULL */
  off_t offset;
  uint64_t left;
  bool close_after, parked;
  double tokens;
  uint64_t refilled_ns;
} Connection;

static Entry entries[MOST_ENTRIES];
static int entry_count = 0, epoll_fd, listen_fd, parked_count = 0, highest_used = 0;
static Connection *all;
static double rate;
static uint64_t connection_total = 0;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "upstream: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void load_table(const char *path) {
  FILE *table = fopen(path, "r");
  if (!table) die(path);
  char line[2048];
  while (fgets(line, sizeof line, table) && entry_count < MOST_ENTRIES) {
    Entry *e = &entries[entry_count];
    char file[1024];
    unsigned long long size = 0;
    if (sscanf(line, "%511[^\t]\t%127[^\t]\t%159[^\t]\t%1023[^\t\n]\t%llu", e->path, e->type, e->digest, file, &size) < 4) continue;
    e->fd = open(file, O_RDONLY);
    struct stat s;
    if (e->fd < 0 || fstat(e->fd, &s) != 0) die(file);
    e->file_size = (uint64_t)s.st_size;
    e->size = size > e->file_size ? size : e->file_size;
    entry_count++;
  }
  fclose(table);
}

static Entry *find_entry(const char *path) {
  for (int i = 0; i < entry_count; i++)
    if (strcmp(entries[i].path, path) == 0) return &entries[i];
  return NULL;
}

static void watch(Connection *c, uint32_t events) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void drop(Connection *c) {
  if (c->parked) parked_count--;
  close(c->fd);
  c->fd = -1;
  c->parked = false;
}

/* Copies a header's value into `into`; false when it is not there. */
static bool header(const char *head, const char *name, char *into, size_t room) {
  size_t length = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, name, length) != 0 || line[length] != ':') continue;
    line += length + 1;
    while (*line == ' ') line++;
    size_t n = strcspn(line, "\r");
    if (n >= room) n = room - 1;
    memcpy(into, line, n);
    into[n] = 0;
    return true;
  }
  return false;
}

static void answer_text(Connection *c, const char *status, const char *type, const char *body) {
  c->out_length = (size_t)snprintf(c->out, sizeof c->out,
                                   "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                                   "Docker-Distribution-Api-Version: registry/2.0\r\n\r\n%s",
                                   status, type, strlen(body), body);
}

/* The account of `path`, or without one the sum of all. */
static void answer_counts(Connection *c, const char *path) {
  uint64_t gets = 0, heads = 0, bytes = 0;
  bool known = *path == 0;
  for (int i = 0; i < entry_count; i++) {
    const Entry *e = &entries[i];
    if (*path && strcmp(e->path, path) != 0) continue;
    known = true;
    gets += e->gets, heads += e->heads, bytes += e->bytes;
  }
  char body[256];
  snprintf(body, sizeof body, "{\"connections\":%llu,\"gets\":%llu,\"heads\":%llu,\"bytes\":%llu}",
           (unsigned long long)connection_total, (unsigned long long)gets, (unsigned long long)heads, (unsigned long long)bytes);
  answer_text(c, known ? "200 OK" : "404 Not Found", "application/json", known ? body : "{}");
}

static void reset_counts(void) {
  connection_total = 0;
  for (int i = 0; i < entry_count; i++) entries[i].gets = entries[i].heads = entries[i].bytes = 0;
}

/* "bytes=a-b", "bytes=a-" and "bytes=-n" (RFC 9110 section 14.1.2). 0: no range, 1: a range, -1: not satisfiable. */
static int parse_range(const char *head, const Entry *e, uint64_t *start, uint64_t *end) {
  char value[128], validator[256];
  *start = 0;
  *end = e->size;
  if (!header(head, "range", value, sizeof value) || strncmp(value, "bytes=", 6) != 0 || strchr(value, ',')) return 0;
  if (header(head, "if-range", validator, sizeof validator) && !strstr(validator, e->digest)) return 0;
  char *dash = strchr(value + 6, '-');
  if (!dash) return 0;
  if (dash == value + 6) {
    uint64_t last = strtoull(dash + 1, NULL, 10);
    if (last == 0) return -1;
    *start = last > e->size ? 0 : e->size - last;
    return 1;
  }
  *start = strtoull(value + 6, NULL, 10);
  if (dash[1]) *end = strtoull(dash + 1, NULL, 10) + 1;
  if (*end > e->size) *end = e->size;
  return *start < *end ? 1 : -1;
}

static void answer_entry(Connection *c, Entry *e, bool head_only) {
  uint64_t start, end;
  int ranged = parse_range(c->in, e, &start, &end);
  if (head_only) e->heads++;
  else e->gets++;
  if (ranged < 0) {
    answer_text(c, "416 Range Not Satisfiable", "text/plain", "");
    return;
  }
  char content_range[96] = "";
  if (ranged)
    snprintf(content_range, sizeof content_range, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)start,
             (unsigned long long)end - 1, (unsigned long long)e->size);
  c->out_length = (size_t)snprintf(c->out, sizeof c->out,
                                   "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %llu\r\n%sAccept-Ranges: bytes\r\n"
                                   "Docker-Content-Digest: %s\r\nETag: \"%s\"\r\n"
                                   "Docker-Distribution-Api-Version: registry/2.0\r\n\r\n",
                                   ranged ? "206 Partial Content" : "200 OK", e->type,
                                   (unsigned long long)(end - start), content_range, e->digest, e->digest);
  if (head_only) return;
  c->entry = e;
  c->offset = (off_t)start;
  c->left = end - start;
}

static void answer(Connection *c) {
  char method[16], path[600], value[64];
  c->out_length = c->out_sent = 0;
  c->entry = NULL;
  if (sscanf(c->in, "%15s %599s", method, path) != 2) {
    answer_text(c, "400 Bad Request", "text/plain", "");
    c->close_after = true;
    return;
  }
  c->close_after = header(c->in, "connection", value, sizeof value) && strcasecmp(value, "close") == 0;
  char *query = strchr(path, '?');
  if (query) *query = 0;
  Entry *e = find_entry(path);
  if (e) answer_entry(c, e, strcmp(method, "HEAD") == 0);
  else if (!strcmp(path, "/v2/") || !strcmp(path, "/v2")) answer_text(c, "200 OK", "application/json", "{}");
  else if (!strncmp(path, "/-/counts", 9)) answer_counts(c, path + 9);
  else if (!strcmp(path, "/-/reset")) reset_counts(), answer_text(c, "200 OK", "application/json", "{}");
  else answer_text(c, "404 Not Found", "application/json", "{\"errors\":[{\"code\":\"NOT_FOUND\",\"message\":\"not here\"}]}");
}

/* What a capped connection may send now; parks it when that is too little. */
static uint64_t allowance(Connection *c) {
  if (rate <= 0) return CHUNK_BYTES;
  uint64_t now = now_ns();
  c->tokens += rate * (double)(now - c->refilled_ns) / 1e9;
  c->refilled_ns = now;
  double most = rate / 50 > 4 * LEAST_PACED_BYTES ? rate / 50 : 4 * LEAST_PACED_BYTES;
  if (c->tokens > most) c->tokens = most;
  uint64_t least = c->left < LEAST_PACED_BYTES ? c->left : LEAST_PACED_BYTES;
  return c->tokens < (double)least ? 0 : (uint64_t)c->tokens;
}

static void park(Connection *c) {
  if (!c->parked) parked_count++;
  c->parked = true;
  watch(c, 0);
}

/* Sends what is pending. True when the response is complete. */
static bool flush_out(Connection *c) {
  while (c->out_sent < c->out_length) {
    ssize_t n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent, MSG_NOSIGNAL | (c->entry ? MSG_MORE : 0));
    if (n < 0 && errno == EAGAIN) {
      watch(c, EPOLLOUT);
      return false;
    }
    if (n <= 0) return drop(c), false;
    c->out_sent += (size_t)n;
  }
  if (!c->entry) return true;
  uint64_t may = allowance(c);
  if (may == 0) return park(c), false;
  size_t ask = c->left < may ? (size_t)c->left : (size_t)may;
  off_t at = (off_t)((uint64_t)c->offset % c->entry->file_size);
  if ((uint64_t)ask > c->entry->file_size - (uint64_t)at) ask = (size_t)(c->entry->file_size - (uint64_t)at);
  ssize_t n = sendfile(c->fd, c->entry->fd, &at, ask);
  if (n < 0 && errno == EAGAIN) {
    watch(c, EPOLLOUT);
    return false;
  }
  if (n <= 0) return drop(c), false;
  c->offset += (off_t)n;
  c->entry->bytes += (uint64_t)n;
  c->left -= (uint64_t)n;
  c->tokens -= (double)n;
  if (c->left == 0) return true;
  watch(c, EPOLLOUT);
  return false;
}

/* Answers as many requests as are buffered and sendable. */
static void serve(Connection *c, bool pending) {
  for (;;) {
    if (pending && !flush_out(c)) return;
    if (pending && c->close_after) return drop(c);
    pending = false;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return watch(c, EPOLLIN | EPOLLRDHUP);
    size_t used = (size_t)(end - c->in) + 4;
    end[2] = 0;
    answer(c);
    memmove(c->in, c->in + used, c->in_length - used);
    c->in_length -= used;
    c->in[c->in_length] = 0;
    pending = true;
  }
}

static void on_readable(Connection *c) {
  ssize_t n = recv(c->fd, c->in + c->in_length, HEAD_BYTES - 1 - c->in_length, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return drop(c);
  c->in_length += (size_t)n;
  c->in[c->in_length] = 0;
  serve(c, false);
}

static void on_connection(void) {
  int fd;
  while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    Connection *c = NULL;
    for (int i = 0; i < MOST_CONNECTIONS && !c; i++) {
      if (all[i].fd >= 0) continue;
      c = &all[i];
      if (i > highest_used) highest_used = i;
    }
    if (!c) {
      close(fd);
      return;
    }
    int on = 1, paced_buffer = 128 << 10;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (rate > 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &paced_buffer, sizeof paced_buffer);
    c->in_length = 0;
    c->in[0] = 0;
    c->entry = NULL;
    c->fd = fd;
    c->parked = false;
    c->tokens = 0;
    c->refilled_ns = now_ns();
    connection_total++;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
  }
}

static void wake_parked(void) {
  if (parked_count == 0) return;
  for (int i = 0; i <= highest_used; i++) {
    Connection *c = &all[i];
    if (c->fd < 0 || !c->parked) continue;
    if (allowance(c) == 0) continue;
    c->parked = false;
    parked_count--;
    serve(c, true);
  }
}

static void on_event(Connection *c, uint32_t events) {
  if (c->fd < 0) return;
  if (events & (EPOLLERR | EPOLLHUP)) drop(c);
  else if (events & EPOLLOUT) serve(c, true);
  else if (events & (EPOLLIN | EPOLLRDHUP)) on_readable(c);
}

static void listen_on_loopback(void) {
  listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  if (bind(listen_fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(listen_fd, 1024) != 0 ||
      getsockname(listen_fd, (struct sockaddr *)&at, &length) != 0)
    die("listen");
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &e);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: upstream TABLE BYTES_PER_SECOND\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  load_table(argv[1]);
  rate = atof(argv[2]);
  all = malloc(MOST_CONNECTIONS * sizeof *all);
  epoll_fd = epoll_create1(0);
  if (!all || epoll_fd < 0) die("set-up");
  for (int i = 0; i < MOST_CONNECTIONS; i++) all[i].fd = -1, all[i].parked = false;
  listen_on_loopback();
  struct epoll_event events[256];
  for (;;) {
    int n = epoll_wait(epoll_fd, events, 256, parked_count > 0 ? TICK_MS : -1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.ptr) on_event(events[i].data.ptr, events[i].events);
      else on_connection();
    }
    wake_parked();
  }
}
