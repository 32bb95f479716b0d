#include "bench/peer.h"
#include <cstring>
#include <dlfcn.h>
#include <memory>
#if __has_include(<oneapi/dnnl/dnnl.h>)
#include <oneapi/dnnl/dnnl.h>

namespace tessera::bench {

namespace {

// The functions of libdnnl.so.2 (oneDNN 2.x, "C API"), found at run time.
struct Library {
  void *handle = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
  void *openMp = dlopen("libgomp.so.1", RTLD_NOW | RTLD_LOCAL);
  template <class F> F *find(F *, const char *name) const {
    return reinterpret_cast<F *>(handle ? dlsym(handle, name) : nullptr);
  }
  void setThreads(int threads) const {
    if (void *set = openMp ? dlsym(openMp, "omp_set_num_threads") : nullptr)
      reinterpret_cast<void (*)(int)>(set)(threads);
  }
};

const Library &library() {
  static const Library opened;
  return opened;
}

// One matmul with its memory.
struct Matmul {
  Matmul() = default;
  Matmul(const Matmul &) = delete;
  ~Matmul() {
    const Library &l = library();
    auto freeMemory = l.find(&dnnl_memory_destroy, "dnnl_memory_destroy");
    for (const dnnl_exec_arg_t &arg : args)
      if (arg.memory && freeMemory)
        freeMemory(arg.memory);
    if (auto destroy = l.find(&dnnl_primitive_destroy, "dnnl_primitive_destroy"); destroy && primitive)
      destroy(primitive);
    if (auto destroy = l.find(&dnnl_stream_destroy, "dnnl_stream_destroy"); destroy && stream)
      destroy(stream);
    if (auto destroy = l.find(&dnnl_engine_destroy, "dnnl_engine_destroy"); destroy && engine)
      destroy(engine);
  }
  dnnl_engine_t engine = nullptr;
  dnnl_stream_t stream = nullptr;
  dnnl_primitive_t primitive = nullptr;
  dnnl_exec_arg_t args[3] = {};
  decltype(&dnnl_primitive_execute) execute = nullptr;
  decltype(&dnnl_stream_wait) wait = nullptr;

  bool allocate(int slot, int argument, const dnnl_memory_desc_t *description) {
    const Library &l = library();
    auto create = l.find(&dnnl_memory_create, "dnnl_memory_create");
    auto dataOf = l.find(&dnnl_memory_get_data_handle, "dnnl_memory_get_data_handle");
    auto sizeOf = l.find(&dnnl_memory_desc_get_size, "dnnl_memory_desc_get_size");
    dnnl_memory_t memory = nullptr;
    void *data = nullptr;
    if (!create || !dataOf || !sizeOf || create(&memory, description, engine, DNNL_MEMORY_ALLOCATE) != dnnl_success ||
        dataOf(memory, &data) != dnnl_success)
      return false;
    std::memset(data, 0x3f, sizeOf(description)); // 0.747 as f32, 0.746 as bf16, 63 as a byte
    args[slot] = {argument, memory};
    return true;
  }
};

} // namespace

static bool prepare(Matmul &matmul, DType dtype, GemmShape shape) {
  const Library &l = library();
  auto engineCreate = l.find(&dnnl_engine_create, "dnnl_engine_create");
  auto streamCreate = l.find(&dnnl_stream_create, "dnnl_stream_create");
  auto describe = l.find(&dnnl_memory_desc_init_by_tag, "dnnl_memory_desc_init_by_tag");
  auto describeMatmul = l.find(&dnnl_matmul_desc_init, "dnnl_matmul_desc_init");
  auto choose = l.find(&dnnl_primitive_desc_create, "dnnl_primitive_desc_create");
  auto query = l.find(&dnnl_primitive_desc_query_md, "dnnl_primitive_desc_query_md");
  auto create = l.find(&dnnl_primitive_create, "dnnl_primitive_create");
  matmul.execute = l.find(&dnnl_primitive_execute, "dnnl_primitive_execute");
  matmul.wait = l.find(&dnnl_stream_wait, "dnnl_stream_wait");
  if (!engineCreate || !streamCreate || !describe || !describeMatmul || !choose || !query || !create ||
      !matmul.execute || !matmul.wait)
    return false;
  auto [m, n, k] = shape;
  dnnl_data_type_t in = dtype == f32    ? dnnl_f32
                        : dtype == bf16 ? dnnl_bf16
                                        : dnnl_u8,
                   weight = dtype == u8 ? dnnl_s8 : in, out = dtype == u8 ? dnnl_s32 : dnnl_f32;
  dnnl_dims_t ofA = {m, k}, ofB = {k, n}, ofC = {m, n};
  dnnl_memory_desc_t a, b, c;
  dnnl_matmul_desc_t what;
  dnnl_primitive_desc_t how = nullptr;
  return engineCreate(&matmul.engine, dnnl_cpu, 0) == dnnl_success &&
         streamCreate(&matmul.stream, matmul.engine, dnnl_stream_default_flags) == dnnl_success &&
         describe(&a, 2, ofA, in, dnnl_ab) == dnnl_success &&
         describe(&b, 2, ofB, weight, dnnl_format_tag_any) == dnnl_success &&
         describe(&c, 2, ofC, out, dnnl_ab) == dnnl_success &&
         describeMatmul(&what, &a, &b, nullptr, &c) == dnnl_success &&
         choose(&how, &what, nullptr, matmul.engine, nullptr) == dnnl_success &&
         create(&matmul.primitive, how) == dnnl_success && matmul.allocate(0, DNNL_ARG_SRC, &a) &&
         matmul.allocate(1, DNNL_ARG_WEIGHTS, query(how, dnnl_query_weights_md, 0)) &&
         matmul.allocate(2, DNNL_ARG_DST, &c);
}

std::optional<PeerCall> dnnlGemm(DType dtype, GemmShape shape, int threads) {
  if (dtype != f32 && dtype != bf16 && dtype != u8)
    return std::nullopt;
  library().setThreads(threads); // also while it chooses how to block
  auto matmul = std::make_shared<Matmul>();
  if (!prepare(*matmul, dtype, shape))
    return std::nullopt;
  return [matmul, threads] {
    library().setThreads(threads);
    matmul->execute(matmul->primitive, matmul->stream, 3, matmul->args);
    matmul->wait(matmul->stream);
  };
}

} // namespace tessera::bench
#else
std::optional<tessera::bench::PeerCall> tessera::bench::dnnlGemm(DType, GemmShape, int) { return std::nullopt; }
#endif
