// Sweeps over every entry point of the virtual driver: not initialised, null, stale and foreign handles, null pointers,
// devices that are not there.
#include "tests/vgpu/cuda_api.h"
#include "tests/vgpu/driver_entry_points.h"
#include <algorithm>
#include <dlfcn.h>
#include <elf.h>
#include <fstream>
#include <map>
#include <set>

namespace {
using Word = uintptr_t;
constexpr size_t mostArguments = 13;
constexpr int invalidValue = 1, notInitialized = 3, invalidDevice = 101, invalidContext = 201, invalidHandle = 400,
              notFound = 500, notSupported = 801;

// The platform passes words alike whatever their type; what a function does not take, it does not see.
__attribute__((no_sanitize("function"))) int call(std::string_view name, const std::vector<Word> &given) {
  using Any = int (*)(Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word);
  auto f = reinterpret_cast<Any>(dlsym(RTLD_DEFAULT, std::string(name).c_str()));
  if (!f)
    return -1;
  Word a[mostArguments] = {};
  std::copy(given.begin(), given.end(), a);
  return f(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12]);
}

// The names that the library's dynamic symbol table defines.
std::set<std::string> exportedNames() {
  Dl_info self{};
  dladdr(reinterpret_cast<void *>(&cuInit), &self);
  std::ifstream file(self.dli_fname, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  std::set<std::string> names;
  const auto *header = reinterpret_cast<const Elf64_Ehdr *>(bytes.data());
  const auto *sections = reinterpret_cast<const Elf64_Shdr *>(bytes.data() + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_DYNSYM)
      continue;
    const auto *symbols = reinterpret_cast<const Elf64_Sym *>(bytes.data() + sections[i].sh_offset);
    const char *text = bytes.data() + sections[sections[i].sh_link].sh_offset;
    for (size_t k = 0; k < sections[i].sh_size / sizeof *symbols; ++k)
      if (symbols[k].st_shndx != SHN_UNDEF)
        names.insert(text + symbols[k].st_name);
  }
  return names;
}

const char *const ptx = ".version 7.0\n.target sm_75\n.address_size 64\n"
                        ".visible .global .u32 g;\n.visible .entry k()\n{\nret;\n}\n";

// First of all: nothing has been initialised yet.
TEST(BeforeInit, EveryEntryPointSaysSo) {
  const std::set<std::string_view> allowed{"cuInit",           "cuDriverGetVersion", "cuGetErrorName",
                                           "cuGetErrorString", "cuGetProcAddress",   "cuGetProcAddress_v2"};
  for (const EntryPoint &e : entryPoints)
    if (!allowed.count(e.name))
      EXPECT_EQ(call(e.name, {}), notInitialized) << e.name;
  for (std::string_view name : refusedEntryPoints)
    EXPECT_EQ(call(name, {}), notInitialized) << name;
}

TEST(EntryPoints, TheTableHasEveryExportedName) {
  std::set<std::string> table;
  for (const EntryPoint &e : entryPoints)
    table.insert(std::string(e.name));
  for (std::string_view name : refusedEntryPoints)
    table.insert(std::string(name));
  for (const std::string &name : exportedNames())
    if (name.starts_with("cu"))
      EXPECT_EQ(table.erase(name), 1u) << name << " is exported and not in the table";
  EXPECT_EQ(table.size(), 0u) << *table.begin() << " is in the table and not exported";
}

class Sweep : public VirtualGpu {
protected:
  // A handle of each kind that is alive, and one that was.
  std::map<char, Word> live, stale;

  Word made(std::string_view name, std::vector<Word> before, std::vector<Word> after = {}) {
    Word handle = 0;
    before.push_back(reinterpret_cast<Word>(&handle));
    before.insert(before.end(), after.begin(), after.end());
    EXPECT_EQ(call(name, before), 0) << name;
    EXPECT_NE(handle, 0u) << name;
    return handle;
  }
  std::map<char, Word> makeAll() {
    std::map<char, Word> h;
    h['C'] = made("cuCtxCreate_v2", {}, {0, 0});
    h['M'] = made("cuModuleLoadData", {}, {reinterpret_cast<Word>(ptx)});
    h['F'] = made("cuModuleGetFunction", {}, {h['M'], reinterpret_cast<Word>("k")});
    h['S'] = made("cuStreamCreate", {}, {1});
    h['E'] = made("cuEventCreate", {}, {0});
    h['G'] = made("cuGraphCreate", {}, {0});
    h['N'] = made("cuGraphAddEmptyNode", {}, {h['G'], 0, 0});
    h['X'] = made("cuGraphInstantiateWithFlags", {}, {h['G'], 0});
    h['L'] = made("cuLibraryLoadData", {}, {reinterpret_cast<Word>(ptx), 0, 0, 0, 0, 0, 0});
    h['K'] = made("cuLibraryGetKernel", {}, {h['L'], reinterpret_cast<Word>("k")});
    const struct {
      int type = 1, handles = 0, place = 1, device = 0;
      void *security = nullptr;
      size_t most = 0;
      char rest[56] = {};
    } props;
    h['P'] = made("cuMemPoolCreate", {}, {reinterpret_cast<Word>(&props)});
    h['U'] = made("cuUserObjectCreate", {}, {0, reinterpret_cast<Word>(+[](void *) {}), 1, 1});
    h['I'] = made("cuLinkCreate_v2", {0, 0, 0});
    h['H'] = made("cuMemCreate", {}, {2 << 20, reinterpret_cast<Word>(&props), 0});
    return h;
  }
  void SetUp() override {
    VirtualGpu::SetUp();
    stale = makeAll();
    for (auto [destroy, kind] : {std::pair{"cuModuleUnload", 'M'},
                                 {"cuStreamDestroy_v2", 'S'},
                                 {"cuEventDestroy_v2", 'E'},
                                 {"cuGraphExecDestroy", 'X'},
                                 {"cuGraphDestroy", 'G'},
                                 {"cuLibraryUnload", 'L'},
                                 {"cuMemPoolDestroy", 'P'},
                                 {"cuLinkDestroy", 'I'},
                                 {"cuMemRelease", 'H'},
                                 {"cuCtxDestroy_v2", 'C'}})
      ASSERT_EQ(call(destroy, {stale[kind]}), 0) << destroy;
    ASSERT_EQ(call("cuUserObjectRelease", {stale['U'], 1}), 0);
    live = makeAll();
    ASSERT_EQ(cuMemAlloc_v2(&address, 4096), 0);
  }
  void TearDown() override {
    call("cuCtxDestroy_v2", {live['C']});
    VirtualGpu::TearDown();
  }

  static bool isHandle(char kind) { return std::string_view("CcMFSEGNXLKPUIH").find(kind) != std::string_view::npos; }
  static char upper(char kind) { return kind == 'c' ? 'C' : kind; }
  static int codeOf(char kind) {
    return upper(kind) == 'C' ? invalidContext : kind == 'H' ? invalidValue : invalidHandle;
  }

  // Arguments that are as right as they can be without knowing the call.
  std::vector<Word> goodArguments(std::string_view kinds) {
    std::vector<Word> given;
    std::fill(std::begin(scratch), std::end(scratch), 0);
    for (size_t i = 0; i < kinds.size(); ++i) {
      const char kind = kinds[i];
      given.push_back(isHandle(kind)               ? live[upper(kind)]
                      : kind == 'o' || kind == 'q' ? reinterpret_cast<Word>(scratch + 64 * i)
                      : kind == 'A'                ? Word(address)
                      : kind == 'n'                ? 1
                                                   : 0);
    }
    return given;
  }
  // The call with one argument replaced; no call may take it, and none may die of it.
  void refuses(const EntryPoint &e, size_t at, Word value, int want, const char *what) {
    std::vector<Word> given = goodArguments(e.arguments);
    given[at] = value;
    const int code = call(e.name, given);
    // Another argument that is only half right may be noticed first.
    EXPECT_TRUE(code == want || code == invalidValue)
        << e.name << " answers " << code << " to " << what << " in place " << at << ", not " << want;
    exact += code == want;
    cuCtxSetCurrent(reinterpret_cast<void *>(live['C']));
  }

  CUdeviceptr address = 0;
  size_t exact = 0;
  alignas(64) uint64_t scratch[64 * mostArguments] = {};
};

TEST_F(Sweep, BadHandlesAreRefused) {
  size_t calls = 0;
  char garbage[4096] = {};
  for (const EntryPoint &e : entryPoints)
    for (size_t i = 0; i < e.arguments.size(); ++i) {
      const char kind = e.arguments[i];
      if (!isHandle(kind))
        continue;
      if (kind == 'c' && (e.name.find("Memcpy") != e.name.npos || e.name.find("Memset") != e.name.npos))
        continue; // nodes of copies and sets do not look at their context
      if (kind != 'S' && kind != 'c')
        refuses(e, i, 0, codeOf(kind), "a null handle"), ++calls;
      refuses(e, i, stale[upper(kind)], codeOf(kind), "a stale handle");
      refuses(e, i, live[kind == 'U' ? 'G' : 'U'], codeOf(kind), "a handle of another kind");
      refuses(e, i, reinterpret_cast<Word>(garbage), codeOf(kind), "what is no handle");
      calls += 3;
    }
  EXPECT_GT(calls, 600u);
  EXPECT_GT(exact * 100, calls * 95) << exact << " of " << calls << " give the code of the handle";
}

TEST_F(Sweep, NullPointersAreRefused) {
  for (const EntryPoint &e : entryPoints)
    for (size_t i = 0; i < e.arguments.size(); ++i)
      if (e.arguments[i] == 'o') {
        std::vector<Word> given = goodArguments(e.arguments);
        given[i] = 0;
        EXPECT_GT(call(e.name, given), 0) << e.name << " takes a null pointer in place " << i;
        cuCtxSetCurrent(reinterpret_cast<void *>(live['C']));
      }
}

TEST_F(Sweep, DevicesThatAreNotThereAreRefused) {
  for (const EntryPoint &e : entryPoints)
    for (size_t i = 0; i < e.arguments.size(); ++i)
      if (e.arguments[i] == 'D') {
        refuses(e, i, 99, invalidDevice, "a device that is not there");
        refuses(e, i, Word(-3), invalidDevice, "a negative device");
      }
}

TEST_F(Sweep, AddressesThatAreNobodysAreRefused) {
  CUdeviceptr freed = 0;
  ASSERT_EQ(cuMemAlloc_v2(&freed, 4096), 0);
  ASSERT_EQ(cuMemFree_v2(freed), 0);
  for (const EntryPoint &e : entryPoints)
    for (size_t i = 0; i < e.arguments.size(); ++i)
      if (e.arguments[i] == 'A' && e.name != "cuMemAddressReserve" && e.name != "cuMemcpy" &&
          e.name != "cuMemcpyAsync" && e.name != "cuMemcpy_ptds" && e.name != "cuMemcpyAsync_ptsz" &&
          e.name != "cuPointerGetAttributes") // a wish; a pointer of the host's; answers zeros
        for (CUdeviceptr bad : {CUdeviceptr(12345), freed}) {
          const int want = e.name == "cuMemGetAddressRange_v2" ? notFound : invalidValue;
          refuses(e, i, Word(bad), want, "an address that is nobody's");
        }
}

TEST_F(Sweep, WhatIsNotSimulatedSaysSo) {
  for (std::string_view name : refusedEntryPoints)
    EXPECT_EQ(call(name, {}), notSupported) << name;
}

TEST_F(Sweep, EveryCodeHasANameAndAText) {
  const char *text = nullptr;
  std::set<std::string> names;
  for (int code = 0; code < 1000; ++code) {
    if (cuGetErrorName(code, &text) == 0) {
      EXPECT_TRUE(names.insert(text).second) << text;
      ASSERT_EQ(call("cuGetErrorString", {Word(code), reinterpret_cast<Word>(&text)}), 0) << code;
      EXPECT_GT(std::string_view(text).size(), 5u) << code;
    } else {
      EXPECT_EQ(text, nullptr) << code;
    }
  }
  EXPECT_EQ(names.size(), 101u) << "success, and the errors of CUDA 13.0";
  EXPECT_TRUE(names.count("CUDA_ERROR_ILLEGAL_ADDRESS") && names.count("CUDA_SUCCESS"));
}

// The names as cuda.h's users write them lead to the newest form that their version knows.
TEST_F(Sweep, EveryNameIsFoundThroughGetProcAddress) {
  for (const EntryPoint &e : entryPoints) {
    std::string plain(e.name.substr(0, std::min(e.name.find("_v"), e.name.find("_pt"))));
    void *f = nullptr;
    EXPECT_EQ(cuGetProcAddress_v2(plain.c_str(), &f, 13000, 0, nullptr), 0) << plain;
    EXPECT_NE(f, nullptr) << plain;
  }
  void *old = nullptr, *young = nullptr;
  ASSERT_EQ(cuGetProcAddress_v2("cuGraphAddKernelNode", &old, 11040, 0, nullptr), 0);
  ASSERT_EQ(cuGetProcAddress_v2("cuGraphAddKernelNode", &young, 12000, 0, nullptr), 0);
  EXPECT_EQ(old, dlsym(RTLD_DEFAULT, "cuGraphAddKernelNode"));
  EXPECT_EQ(young, dlsym(RTLD_DEFAULT, "cuGraphAddKernelNode_v2"));
  ASSERT_EQ(cuGetProcAddress_v2("cuLaunchKernel", &young, 12000, 2, nullptr), 0);
  EXPECT_EQ(young, dlsym(RTLD_DEFAULT, "cuLaunchKernel_ptsz")) << "the thread's default stream";
  ASSERT_EQ(cuGetProcAddress_v2("cuMemcpyHtoD", &young, 12000, 2, nullptr), 0);
  EXPECT_EQ(young, dlsym(RTLD_DEFAULT, "cuMemcpyHtoD_v2_ptds"));
}

} // namespace
