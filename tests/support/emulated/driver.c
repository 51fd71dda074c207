// SPDX-License-Identifier: Apache-2.0
/* An EMULATED libcuda.so.1: as much of NVIDIA's driver interface as pycuda and cuda-bindings need
 * to run this project's TensorRT backend on a machine without a GPU. For tests alone.
 *
 * It is stricter than a GPU, so that what happens to work there fails here:
 * - a device address is a host address with a bit set, so the host cannot read or write through it;
 * - memory comes poisoned, and what is queued is looked at again when it runs: freed memory fails;
 * - streams run nothing until somebody waits for them;
 * - calls without a current context of the calling thread fail, as do allocations during a capture;
 * - everything that is made is counted, and so is what was not destroyed.
 * What is not in this file fails with CUDA_ERROR_NOT_SUPPORTED (see driver.py). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long Address;
enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201,
       INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700,
       CAPTURE_UNSUPPORTED = 900 };
enum { COMPUTE_MAJOR = 75, COMPUTE_MINOR = 76, INTEGRATED = 18 };
enum { POISON = 0xCB, FREED = 0xDD, DEEPEST = 16 };
#define DEVICE_BIT 0x4000000000000000ULL

typedef enum { DEVICE, HOST, STREAM, EVENT, GRAPH, EXECUTABLE, CONTEXT, KINDS } Kind;
static const char *const kind_names[KINDS] = {"device", "host", "stream", "event",
                                              "graph", "executable", "context"};
static long living[KINDS], made[KINDS], launches;
static size_t limit_bytes = 1ULL << 33, used_bytes;
static int integrated, sticky;

typedef struct Block { char *start; size_t bytes; Kind kind; struct Block *next; } Block;
static Block *blocks;

struct Stream;
typedef struct Event { int pending; struct Stream *stream; } Event;
typedef enum { COPY, CALL, RECORD } Work;
typedef struct Operation {
    Work work;
    Address to, from; /* host addresses have no device bit */
    size_t bytes;
    void (*call)(void *);
    void *data;
    struct Operation *next;
} Operation;
typedef struct { Operation *head, *tail; } Queue;
typedef struct Stream { Queue waiting, captured; int capturing; struct Stream *next; } Stream;
static Stream legacy = {0}; /* the stream called 0 */
static Stream *streams = &legacy;

static int primary; /* its address is the context */
static int retained;
static __thread void *contexts[DEEPEST];
static __thread int depth;
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* ---- for the tests ---- */

/* Kinds by number, NULL behind the last; how many of one there are, and ever were. */
const char *emulated_kind(int kind) { return kind < KINDS ? kind_names[kind] : NULL; }
long emulated_living(int kind) { return living[kind]; }
long emulated_made(int kind) { return made[kind]; }
long emulated_launches(void) { return launches; }
void emulated_fault(void) { sticky = ILLEGAL_ADDRESS; }
void emulated_integrate(int yes) { integrated = yes; }
void emulated_limit(size_t bytes) { limit_bytes = bytes; }
Address emulated_device_bit(void) { return DEVICE_BIT; }

static void count(Kind kind) { living[kind]++; made[kind]++; }

/* ---- streams ---- */

static void append(Queue *queue, Operation *operation) {
    operation->next = NULL;
    if (queue->tail) queue->tail->next = operation; else queue->head = operation;
    queue->tail = operation;
}

static void discard(Queue *queue) {
    Operation *next;
    for (Operation *o = queue->head; o; o = next) { next = o->next; free(o); }
    queue->head = queue->tail = NULL;
}

/* Where an address is for the host; NULL if nobody has that memory (any more). */
static char *place_of(Address address, size_t bytes) {
    char *start = (char *)(address & ~DEVICE_BIT);
    for (Block *b = blocks; b; b = b->next)
        if (start >= b->start && start + bytes <= b->start + b->bytes)
            return (address & DEVICE_BIT) || b->kind == HOST ? start : NULL;
    return NULL;
}

static void run(Operation *operation) {
    if (operation->work == COPY) {
        char *to = place_of(operation->to, operation->bytes);
        char *from = place_of(operation->from, operation->bytes);
        if (to && from) memcpy(to, from, operation->bytes); else sticky = ILLEGAL_ADDRESS;
    } else if (operation->work == RECORD) {
        ((Event *)operation->data)->pending--;
    } else {
        pthread_mutex_unlock(&lock); /* a host function may wait for another thread that calls us */
        operation->call(operation->data);
        pthread_mutex_lock(&lock);
    }
}

/* Run what waits in a stream: all of it, or until an event has come. */
static void drain(Stream *stream, Event *until) {
    Operation *operation;
    while (stream && (operation = stream->waiting.head) && !(until && !until->pending)) {
        stream->waiting.head = operation->next;
        if (!operation->next) stream->waiting.tail = NULL;
        run(operation);
        free(operation);
    }
}

static Stream *known(void *handle) {
    if (!handle) return &legacy;
    for (Stream *s = streams; s; s = s->next) if (s == handle) return s;
    return NULL;
}

static int capturing(void) {
    for (Stream *s = streams; s; s = s->next) if (s->capturing) return 1;
    return 0;
}

static int submit(void *handle, Operation plain) {
    Stream *stream = known(handle);
    if (!stream) return INVALID_HANDLE;
    Operation *operation = malloc(sizeof plain);
    *operation = plain;
    append(stream->capturing ? &stream->captured : &stream->waiting, operation);
    return OK;
}

/* After a fault nothing can be freed; all of it goes with the context. */
static void reclaim(void) {
    while (blocks) { Block *next = blocks->next; free(blocks->start); free(blocks); blocks = next; }
    while (streams != &legacy) { discard(&streams->waiting); streams = streams->next; }
    memset(living, 0, sizeof living);
    used_bytes = 0;
    sticky = OK;
}

/* Every call is one of these: alone, in a context of the calling thread, after no earlier fault. */
#define ENTER pthread_mutex_lock(&lock)
#define LEAVE(code) do { int code_ = (code); pthread_mutex_unlock(&lock); return code_; } while (0)
#define ENTER_CONTEXT \
    ENTER; \
    if (!depth || !retained) LEAVE(INVALID_CONTEXT); \
    if (sticky) LEAVE(sticky)

/* ---- driver, device, context ---- */

int cuInit(unsigned flags) { (void)flags; return OK; }
int cuDriverGetVersion(int *version) { *version = 13000; return OK; }
int cuDeviceGetCount(int *n) { *n = 1; return OK; }
int cuDeviceGet(int *device, int i) { *device = i; return i ? INVALID_DEVICE : OK; }
int cuDeviceGetName(char *to, int n, int d) { (void)d; snprintf(to, n, "EMULATED GPU"); return OK; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    *value = attribute == COMPUTE_MAJOR ? 8 : attribute == COMPUTE_MINOR ? 7
           : attribute == INTEGRATED ? integrated : 1;
    return OK;
}
int cuGetErrorString(int code, const char **text) {
    *text = code == OUT_OF_MEMORY ? "out of memory (EMULATED)" : "error (EMULATED)";
    return OK;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    (void)device;
    ENTER;
    *context = &primary;
    if (!retained++) count(CONTEXT);
    LEAVE(OK);
}
int cuDevicePrimaryCtxRelease_v2(int device) {
    (void)device;
    ENTER;
    if (!retained) LEAVE(INVALID_CONTEXT);
    if (!--retained) living[CONTEXT]--;
    if (!retained && sticky) reclaim();
    LEAVE(OK);
}
int cuCtxPushCurrent_v2(void *context) {
    if (context != &primary || !retained || depth == DEEPEST) return INVALID_CONTEXT;
    contexts[depth++] = context;
    return OK;
}
int cuCtxPopCurrent_v2(void **context) {
    *context = depth ? contexts[--depth] : NULL;
    return *context ? OK : INVALID_CONTEXT;
}
int cuCtxGetCurrent(void **context) { *context = depth ? contexts[depth - 1] : NULL; return OK; }
int cuCtxGetDevice(int *device) { *device = 0; return depth ? OK : INVALID_CONTEXT; }
int cuCtxGetApiVersion(void *c, unsigned *version) { (void)c; *version = 13000; return OK; }
int cuCtxSynchronize(void) {
    ENTER_CONTEXT;
    for (Stream *s = streams; s; s = s->next) drain(s, NULL);
    LEAVE(sticky);
}

/* ---- memory ---- */

static int allocate(char **start, size_t bytes, Kind kind) {
    if (capturing()) return CAPTURE_UNSUPPORTED;
    if (!bytes) return INVALID_VALUE;
    if (used_bytes + bytes > limit_bytes) return OUT_OF_MEMORY;
    Block *block = malloc(sizeof *block);
    *start = aligned_alloc(512, (bytes + 511) / 512 * 512);
    memset(*start, POISON, bytes);
    *block = (Block){*start, bytes, kind, blocks};
    blocks = block;
    used_bytes += bytes;
    count(kind);
    return OK;
}

static int release(char *start, Kind kind) {
    for (Block **link = &blocks; *link; link = &(*link)->next) {
        Block *block = *link;
        if (block->start != start || block->kind != kind) continue;
        *link = block->next;
        memset(start, FREED, block->bytes);
        used_bytes -= block->bytes;
        living[kind]--;
        free(start);
        free(block);
        return OK;
    }
    return INVALID_VALUE;
}

int cuMemAlloc_v2(Address *address, size_t bytes) {
    ENTER_CONTEXT;
    char *start = NULL;
    int code = allocate(&start, bytes, DEVICE);
    *address = (Address)start | DEVICE_BIT;
    LEAVE(code);
}
int cuMemFree_v2(Address address) {
    ENTER_CONTEXT;
    LEAVE(address & DEVICE_BIT ? release((char *)(address & ~DEVICE_BIT), DEVICE) : INVALID_VALUE);
}
int cuMemHostAlloc(void **start, size_t bytes, unsigned flags) {
    (void)flags;
    ENTER_CONTEXT;
    LEAVE(allocate((char **)start, bytes, HOST));
}
int cuMemFreeHost(void *start) { ENTER_CONTEXT; LEAVE(release(start, HOST)); }
int cuMemHostGetDevicePointer_v2(Address *address, void *start, unsigned flags) {
    (void)flags;
    ENTER_CONTEXT;
    *address = (Address)start | DEVICE_BIT;
    LEAVE(place_of((Address)start, 1) ? OK : INVALID_VALUE);
}
/* Memory the host gives to asynchronous copies has to be page-locked here. */
static int copy_later(Address to, Address from, size_t bytes, void *stream) {
    if (!place_of(to, bytes) || !place_of(from, bytes)) return INVALID_VALUE;
    return submit(stream, (Operation){.work = COPY, .to = to, .from = from, .bytes = bytes});
}
int cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *stream) {
    ENTER_CONTEXT;
    LEAVE(copy_later(to, (Address)from, bytes, stream));
}
int cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *stream) {
    ENTER_CONTEXT;
    LEAVE(copy_later((Address)to, from, bytes, stream));
}

/* ---- streams and events ---- */

int cuStreamCreate(void **handle, unsigned flags) {
    (void)flags;
    ENTER_CONTEXT;
    Stream *stream = calloc(1, sizeof *stream);
    stream->next = streams;
    *handle = streams = stream;
    count(STREAM);
    LEAVE(OK);
}
int cuStreamDestroy_v2(void *handle) {
    ENTER_CONTEXT;
    for (Stream **link = &streams; *link; link = &(*link)->next) {
        Stream *stream = *link;
        if (stream != handle) continue;
        drain(stream, NULL);
        discard(&stream->captured);
        *link = stream->next;
        free(stream);
        living[STREAM]--;
        LEAVE(OK);
    }
    LEAVE(INVALID_HANDLE);
}
int cuStreamSynchronize(void *handle) {
    ENTER_CONTEXT;
    Stream *stream = known(handle);
    if (!stream || stream->capturing) LEAVE(stream ? CAPTURE_UNSUPPORTED : INVALID_HANDLE);
    drain(stream, NULL);
    LEAVE(sticky);
}
int cuLaunchHostFunc(void *handle, void (*call)(void *), void *data) {
    ENTER_CONTEXT;
    LEAVE(submit(handle, (Operation){.work = CALL, .call = call, .data = data}));
}

int cuEventCreate(void **handle, unsigned flags) {
    (void)flags;
    ENTER_CONTEXT;
    *handle = calloc(1, sizeof(Event));
    count(EVENT);
    LEAVE(OK);
}
int cuEventDestroy_v2(void *event) { ENTER_CONTEXT; free(event); living[EVENT]--; LEAVE(OK); }
int cuEventRecord(void *handle, void *stream) {
    ENTER_CONTEXT;
    Event *event = handle;
    event->stream = known(stream);
    if (event->stream && event->stream->capturing) LEAVE(CAPTURE_UNSUPPORTED);
    event->pending++;
    LEAVE(submit(stream, (Operation){.work = RECORD, .data = event}));
}
int cuEventQuery(void *event) { return ((Event *)event)->pending ? NOT_READY : OK; }
int cuEventSynchronize(void *event) {
    ENTER_CONTEXT;
    drain(((Event *)event)->stream, event);
    LEAVE(sticky);
}

/* ---- graphs ---- */

static Queue *copied(const Queue *queue) {
    Queue *copy = calloc(1, sizeof *copy);
    for (const Operation *o = queue->head; o; o = o->next) {
        Operation *same = malloc(sizeof *same);
        *same = *o;
        append(copy, same);
    }
    return copy;
}
static void destroy(Queue *queue, Kind kind) { discard(queue); free(queue); living[kind]--; }

int cuStreamBeginCapture_v2(void *handle, int mode) {
    (void)mode;
    ENTER_CONTEXT;
    Stream *stream = known(handle);
    if (!stream || stream == &legacy || stream->capturing) LEAVE(CAPTURE_UNSUPPORTED);
    stream->capturing = 1;
    LEAVE(OK);
}
int cuStreamEndCapture(void *handle, void **graph) {
    ENTER_CONTEXT;
    Stream *stream = known(handle);
    if (!stream || !stream->capturing) LEAVE(INVALID_VALUE);
    stream->capturing = 0;
    *graph = copied(&stream->captured);
    discard(&stream->captured);
    count(GRAPH);
    LEAVE(OK);
}
int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
    (void)flags;
    ENTER_CONTEXT;
    *executable = copied(graph);
    count(EXECUTABLE);
    LEAVE(OK);
}
int cuGraphLaunch(void *executable, void *stream) {
    ENTER_CONTEXT;
    launches++;
    int code = OK;
    for (Operation *o = ((Queue *)executable)->head; o && !code; o = o->next)
        code = submit(stream, *o);
    LEAVE(code);
}
int cuGraphDestroy(void *graph) { ENTER_CONTEXT; destroy(graph, GRAPH); LEAVE(OK); }
int cuGraphExecDestroy(void *run) { ENTER_CONTEXT; destroy(run, EXECUTABLE); LEAVE(OK); }

/* How cuda-bindings finds functions: by plain name, of which the newest form is meant. */
int cuGetProcAddress_v2(const char *name, void **found, int version, unsigned long long flags,
                        int *status) {
    static const char *const forms[] = {"_v4", "_v3", "_v2", "", "WithFlags"};
    (void)version, (void)flags;
    void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    char full[128];
    *found = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms && self && !*found; i++) {
        snprintf(full, sizeof full, "%s%s", name, forms[i]);
        *found = dlsym(self, full);
    }
    if (self) dlclose(self);
    if (status) *status = *found ? 0 : 1;
    return *found ? OK : NOT_FOUND;
}
