#include "runtime/driver/nvrtc.h"
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>

namespace tessera::driver {

namespace {
namespace fs = std::filesystem;

// NVRTC's C interface, of nvrtc.h; the handle is opaque and 0 is success.
struct NvrtcProgramObject;
using NvrtcProgram = NvrtcProgramObject *;
struct Nvrtc {
  int (*createProgram)(NvrtcProgram *, const char *text, const char *name, int headers, const char *const *,
                       const char *const *) = nullptr;
  int (*compileProgram)(NvrtcProgram, int options, const char *const *) = nullptr;
  int (*getPtxSize)(NvrtcProgram, size_t *) = nullptr;
  int (*getPtx)(NvrtcProgram, char *) = nullptr;
  int (*getLogSize)(NvrtcProgram, size_t *) = nullptr;
  int (*getLog)(NvrtcProgram, char *) = nullptr;
  int (*destroyProgram)(NvrtcProgram *) = nullptr;
  const char *(*getErrorString)(int) = nullptr;
  std::string include; // the toolkit's headers, empty where they are not beside the library
};

std::vector<std::string> candidates() {
  std::vector<std::string> folders = {""};
  if (const char *home = std::getenv("CUDA_HOME"); home && *home)
    folders.push_back(std::string(home) + "/lib64/");
  folders.push_back("/usr/local/cuda/lib64/");
  std::vector<std::string> paths;
  for (const std::string &folder : folders)
    for (const char *name : {"libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"})
      paths.push_back(folder + name);
  return paths;
}

std::string headersBeside(void *symbol) {
  Dl_info where = {};
  std::error_code ignored;
  if (!dladdr(symbol, &where) || !where.dli_fname)
    return {};
  fs::path folder = fs::canonical(where.dli_fname, ignored).parent_path();
  for (; folder.has_relative_path(); folder = folder.parent_path()) // lib64, or targets/x86_64-linux/lib
    if (fs::exists(folder / "include" / "cuda_fp16.h", ignored))
      return folder / "include";
  return {};
}

Result<Nvrtc> openNvrtc() {
  void *library = nullptr;
  for (const std::string &path : candidates())
    if ((library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)))
      break;
  if (!library)
    return unsupported(
        "this machine has no NVRTC (libnvrtc.so can be opened neither by the loader nor in CUDA_HOME/lib64 "
        "nor in /usr/local/cuda/lib64)");
  Nvrtc api;
  const char *missing = nullptr;
  auto bind = [&](auto &into, const char *name) {
    into = reinterpret_cast<std::remove_reference_t<decltype(into)>>(dlsym(library, name));
    if (!into && !missing)
      missing = name;
  };
  bind(api.createProgram, "nvrtcCreateProgram");
  bind(api.compileProgram, "nvrtcCompileProgram");
  bind(api.getPtxSize, "nvrtcGetPTXSize");
  bind(api.getPtx, "nvrtcGetPTX");
  bind(api.getLogSize, "nvrtcGetProgramLogSize");
  bind(api.getLog, "nvrtcGetProgramLog");
  bind(api.destroyProgram, "nvrtcDestroyProgram");
  bind(api.getErrorString, "nvrtcGetErrorString");
  if (missing)
    return unsupported(std::string("this machine's NVRTC is none that can be used: it has no ") + missing);
  api.include = headersBeside(reinterpret_cast<void *>(api.createProgram));
  return api;
}

const Result<Nvrtc> &nvrtc() {
  static const Result<Nvrtc> opened = openNvrtc();
  return opened;
}

// Text that NVRTC gives with its zero byte.
std::string told(NvrtcProgram program, int (*size)(NvrtcProgram, size_t *), int (*get)(NvrtcProgram, char *)) {
  size_t bytes = 0;
  if (size(program, &bytes) != 0 || bytes == 0)
    return {};
  std::string text(bytes, '\0');
  if (get(program, text.data()) != 0)
    return {};
  text.resize(text.find('\0') == text.npos ? bytes : text.find('\0'));
  return text;
}

std::vector<std::string> optionsFor(const Nvrtc &api, const CudaSource &source, const Target &target) {
  std::string arch(target.arch); // sm_90a
  std::vector<std::string> options = {"--gpu-architecture=compute_" + arch.substr(3), "--std=c++17",
                                      "--generate-line-info"};
  if (!api.include.empty())
    options.push_back("--include-path=" + api.include);
  options.insert(options.end(), source.options.begin(), source.options.end());
  return options;
}
} // namespace

Result<Artifact> compileCuda(const CudaSource &source, const Target &target) {
  const std::string &title = source.signature.name;
  if (target.vendor != Vendor::nvidia)
    return unsupported("kernel '" + title + "' is CUDA C++: target " + std::string(target.name) + " is no NVIDIA chip");
  if (!nvrtc())
    return unsupported("kernel '" + title + "' cannot be compiled: " + nvrtc().error().message);
  const Nvrtc &api = *nvrtc();
  NvrtcProgram program = nullptr;
  int result = api.createProgram(&program, source.text.c_str(), source.file.c_str(), 0, nullptr, nullptr);
  if (result != 0)
    return deviceError("kernel '" + title + "': nvrtcCreateProgram answers " + api.getErrorString(result));
  struct Destroy {
    const Nvrtc &api;
    NvrtcProgram &program;
    ~Destroy() { api.destroyProgram(&program); }
  } destroy{api, program};
  std::vector<std::string> options = optionsFor(api, source, target);
  std::vector<const char *> words;
  for (const std::string &option : options)
    words.push_back(option.c_str());
  result = api.compileProgram(program, int(words.size()), words.data());
  if (result != 0) {
    std::string log = told(program, api.getLogSize, api.getLog);
    log.resize(log.find_last_not_of('\n') + 1);
    return invalidArgument("kernel '" + title + "' of " + source.file + " does not compile (" +
                           api.getErrorString(result) + "):\n" + log);
  }
  Artifact artifact;
  artifact.signature = source.signature;
  artifact.target = target.name;
  artifact.entry = title;
  artifact.block = source.block;
  artifact.bytes = told(program, api.getPtxSize, api.getPtx);
  if (artifact.bytes.find(".entry " + title) == std::string::npos)
    return invalidArgument("kernel '" + title + "': " + source.file +
                           " has no extern \"C\" __global__ function of that name");
  return artifact;
}

} // namespace tessera::driver
