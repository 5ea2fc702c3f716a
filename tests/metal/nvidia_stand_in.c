// Stands in for libcuda.so.1 where there is no NVIDIA GPU: the functions that kernelwright.metal.nvidia calls, with the
// rules and error codes of the CUDA Driver API reference. Memory is the host's; a launch is written down and handed to
// whoever wants to run it. The stand_in_ functions are for the tests.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API __attribute__((visibility("default")))
enum {
  SUCCESS = 0, INVALID_VALUE = 1, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201,
  INVALID_PTX = 218, INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, OUT_OF_RESOURCES = 701,
};
static const struct { int code; const char *name, *meaning; } ERRORS[] = {
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
};

typedef struct { char* ptx; int registers; } Module;
typedef struct { Module* module; char name[64]; unsigned parameter_bytes; } Function;
typedef struct {
  const char *ptx, *name;
  const void* parameter;
  unsigned parameter_bytes, groups[3], group[3], shared_bytes;
  void* stream;
} Launch;

// Changed by the tests: how many GPUs there are, of which capability, how many threads a kernel as it is can have.
API int stand_in_devices = 1, stand_in_capability = 90, stand_in_most_threads = 1024;
API char stand_in_failing[64];  // this function fails once with:
API int stand_in_failure;
API int (*stand_in_run)(const Launch*);
API char stand_in_log[1 << 16];

static int initialised, contexts[8];
static _Thread_local void* stack[64];
static _Thread_local int depth;

#define CALLED(...)                                                              \
  do {                                                                           \
    size_t end = strlen(stand_in_log);                                           \
    snprintf(stand_in_log + end, sizeof stand_in_log - end, __VA_ARGS__);        \
    if (!strcmp(stand_in_failing, __func__)) {                                   \
      stand_in_failing[0] = 0;                                                   \
      return stand_in_failure;                                                   \
    }                                                                            \
    if (!initialised && strcmp("cuInit", __func__)) return NOT_INITIALIZED;      \
  } while (0)

static int error_text(int code, const char** text, int name) {
  for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
    if (ERRORS[i].code == code) return *text = name ? ERRORS[i].name : ERRORS[i].meaning, SUCCESS;
  return *text = NULL, INVALID_VALUE;
}
API int cuGetErrorName(int code, const char** text) { return error_text(code, text, 1); }
API int cuGetErrorString(int code, const char** text) { return error_text(code, text, 0); }

API int cuInit(unsigned flags) {
  CALLED("init\n");
  if (flags) return INVALID_VALUE;
  if (!stand_in_devices) return NO_DEVICE;
  initialised = 1;
  return SUCCESS;
}
API int cuDeviceGetCount(int* count) {
  CALLED("count\n");
  *count = stand_in_devices;
  return SUCCESS;
}
API int cuDeviceGet(int* device, int ordinal) {
  CALLED("device %d\n", ordinal);
  if (ordinal < 0 || ordinal >= stand_in_devices) return INVALID_DEVICE;
  *device = ordinal;
  return SUCCESS;
}
API int cuDeviceGetName(char* name, int length, int device) {
  CALLED("name\n");
  snprintf(name, length, "Stand-in %d", device);
  return SUCCESS;
}
API int cuDeviceGetAttribute(int* value, int attribute, int device) {
  CALLED("attribute %d\n", attribute);
  if (device >= stand_in_devices) return INVALID_DEVICE;
  if (attribute == 75) *value = stand_in_capability / 10;
  else if (attribute == 76) *value = stand_in_capability % 10;
  else if (attribute == 12) *value = 65536;
  else return INVALID_VALUE;
  return SUCCESS;
}
API int cuDevicePrimaryCtxRetain(void** context, int device) {
  CALLED("retain %d\n", device);
  contexts[device]++;
  *context = &contexts[device];
  return SUCCESS;
}
API int cuCtxPushCurrent_v2(void* context) {
  CALLED("push\n");
  if ((int*)context < contexts || (int*)context >= contexts + 8) return INVALID_CONTEXT;
  stack[depth++] = context;
  return SUCCESS;
}
API int cuCtxPopCurrent_v2(void** context) {
  CALLED("pop\n");
  if (!depth) return INVALID_CONTEXT;
  *context = stack[--depth];
  return SUCCESS;
}
API int stand_in_depth(void) { return depth; }

API int cuModuleLoadDataEx(void** module, const void* image, unsigned count, const int* options, void** values) {
  Module made = {NULL, 0};
  char* log = NULL;
  size_t log_bytes = 0;
  for (unsigned i = 0; i < count; i++) {
    if (options[i] == 0) made.registers = (int)(size_t)values[i];
    else if (options[i] == 5) log = values[i];
    else if (options[i] == 6) log_bytes = (size_t)values[i];
    else return INVALID_VALUE;
  }
  CALLED("load %d\n", made.registers);
  if (!depth) return INVALID_CONTEXT;
  if (!strstr(image, ".version")) {
    if (log) snprintf(log, log_bytes, "ptxas application ptx input, line 1; fatal   : Missing .version directive");
    return INVALID_PTX;
  }
  made.ptx = strdup(image);
  memcpy(*module = malloc(sizeof made), &made, sizeof made);
  return SUCCESS;
}
API int cuModuleGetFunction(void** function, void* module, const char* name) {
  CALLED("function %s\n", name);
  if (!depth) return INVALID_CONTEXT;
  Function made = {module, "", 0};
  char entry[128];
  snprintf(entry, sizeof entry, ".entry %s(", name);
  snprintf(made.name, sizeof made.name, "%s", name);
  const char* found = strstr(made.module->ptx, entry);
  if (!found) return NOT_FOUND;
  sscanf(strchr(found, '['), "[%u]", &made.parameter_bytes);
  memcpy(*function = malloc(sizeof made), &made, sizeof made);
  return SUCCESS;
}
static int most_threads(const Module* module) {
  const int room = module->registers ? 65536 / module->registers : stand_in_most_threads;
  return room < 1024 ? room : 1024;
}
API int cuFuncGetAttribute(int* value, int attribute, void* function) {
  CALLED("function attribute %d\n", attribute);
  const Module* module = ((Function*)function)->module;
  *value = 0;
  if (attribute == 0) {
    *value = most_threads(module);
  } else if (attribute == 1) {
    for (const char* line = module->ptx; (line = strstr(line, "\t.shared ")); line++) {
      int bytes = 0;
      sscanf(line, "\t.shared .align %*d .b8 %*[^[][%d]", &bytes);
      *value += bytes;
    }
  } else {
    return INVALID_VALUE;
  }
  return SUCCESS;
}
API int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                       unsigned shared, void* stream, void** parameters, void** extra) {
  const Function* called = function;
  CALLED("launch %s %u,%u,%u %u,%u,%u shared %u stream %p\n", called->name, gx, gy, gz, bx, by, bz, shared, stream);
  if (!depth) return INVALID_CONTEXT;
  if (extra || !parameters || !parameters[0]) return INVALID_VALUE;
  if (!gx || !gy || !gz || gx > 2147483647u || gy > 65535 || gz > 65535) return INVALID_VALUE;
  if (!bx || !by || !bz || bx > 1024 || by > 1024 || bz > 64 || bx * by * bz > 1024) return INVALID_VALUE;
  if ((int)(bx * by * bz) > most_threads(called->module) || shared > 48 * 1024) return OUT_OF_RESOURCES;
  Launch launch = {called->module->ptx, called->name, NULL, called->parameter_bytes, {gx, gy, gz}, {bx, by, bz}, shared, stream};
  void* copy = malloc(called->parameter_bytes);  // the parameter may change once this has returned
  launch.parameter = memcpy(copy, parameters[0], called->parameter_bytes);
  const int result = stand_in_run ? stand_in_run(&launch) : SUCCESS;
  free(copy);
  return result;
}
