#include "runtime/artifact_codec.h"
#include "runtime/disk_cache.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tessera {

namespace fs = std::filesystem;

static Artifact sample(size_t codeBytes = 64) {
  Artifact artifact;
  artifact.signature = {.name = "gemm",
                        .dims = {"M", "K"},
                        .divisors = {1, 32},
                        .args = {{"A", ArgKind::in, q4_1, {{0}, {1}}},
                                 {"C", ArgKind::out, f32, {{0}, {-1, 64}}},
                                 {"eps", ArgKind::scalar, f32, {}}},
                        .grid = {{{0}, 8}, {{-1, 64}, 16}},
                        .scaled = {{1, 0, 1, 32}}};
  artifact.target = "cpu-avx2";
  artifact.entry = "gemm";
  for (size_t i = 0; i < codeBytes; ++i)
    artifact.bytes += char(i * 37);
  artifact.resources = {4096, 12, 168, 1024};
  artifact.alignedResources = {64, 0, 96, 0};
  artifact.cubin = "\x7f"
                   "ELF...";
  artifact.block = {.threads = {128, 2, 1}, .dynamicSharedBytes = 65536};
  return artifact;
}

TEST(ArtifactCodec, RoundTrips) {
  EXPECT_EQ(decodeArtifact(encodeArtifact(sample())), sample());
  EXPECT_EQ(decodeArtifact(encodeArtifact(Artifact())), Artifact());
}

TEST(ArtifactCodec, RefusesABlockWithoutThreads) {
  Artifact artifact = sample();
  artifact.block.threads[1] = 0;
  EXPECT_FALSE(decodeArtifact(encodeArtifact(artifact)));
  artifact = sample();
  artifact.block.dynamicSharedBytes = -1;
  EXPECT_FALSE(decodeArtifact(encodeArtifact(artifact)));
}

// Without the cache's checksum in front: the decoder itself must survive any bytes.
TEST(ArtifactCodec, RefusesEveryTruncationAndExtension) {
  std::string bytes = encodeArtifact(sample());
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(decodeArtifact(bytes.substr(0, length))) << length;
  EXPECT_FALSE(decodeArtifact(bytes + '\0'));
}

TEST(ArtifactCodec, SurvivesEveryForgedByte) {
  const std::string bytes = encodeArtifact(sample());
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string forged = bytes;
      forged[i] = char(value);
      if (std::optional<Artifact> artifact = decodeArtifact(forged)) // what passes must be safe to index with
        for (const ArgInfo &arg : artifact->signature.args)
          for (const Extent &e : arg.extents)
            EXPECT_LT(e.dim, int(artifact->signature.dims.size()));
    }
}

class DiskCacheTest : public testing::Test {
protected:
  std::string root = [] {
    std::string pattern = fs::temp_directory_path() / "tessera-cache-XXXXXX";
    return std::string(mkdtemp(pattern.data()));
  }();
  const std::string key = "0123456789abcdef0123456789abcdef";
  ~DiskCacheTest() override { fs::remove_all(root); }

  std::string file() const { return root + "/" + key; }
  std::string contents() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void overwrite(std::string_view bytes) const {
    std::ofstream(file(), std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
  }
};

TEST_F(DiskCacheTest, KeepsAnArtifactAcrossCaches) {
  DiskCache first(root + "/deep/er");
  EXPECT_FALSE(first.load(key));
  first.store(key, sample());
  DiskCache second(root + "/deep/er");
  EXPECT_EQ(second.load(key), sample());
  EXPECT_EQ(second.counts().hits, 1);
  EXPECT_EQ(first.counts().misses, 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(root + "/deep/er"), {}), 1); // no temporary file is left
}

TEST_F(DiskCacheTest, EveryFlippedByteIsSeenAndRebuilt) {
  DiskCache cache(root);
  cache.store(key, sample());
  const std::string good = contents();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = char(bad[i] ^ 0x10);
    overwrite(bad);
    EXPECT_FALSE(cache.load(key)) << "byte " << i;
  }
  EXPECT_EQ(cache.counts().corrupt, int64_t(good.size()));
  cache.store(key, sample());
  EXPECT_EQ(cache.load(key), sample());
}

TEST_F(DiskCacheTest, EveryTruncationIsSeen) {
  DiskCache cache(root);
  cache.store(key, sample());
  const std::string good = contents();
  for (size_t length = 0; length < good.size(); ++length) {
    overwrite(std::string_view(good).substr(0, length));
    EXPECT_FALSE(cache.load(key)) << length;
  }
  overwrite(good + "x");
  EXPECT_FALSE(cache.load(key));
  EXPECT_EQ(cache.counts().corrupt, int64_t(good.size()) + 1);
}

TEST_F(DiskCacheTest, AnEntryUnderAForeignNameIsNoHit) {
  DiskCache cache(root);
  cache.store(key, sample());
  const std::string other(32, 'f');
  fs::rename(file(), root + "/" + other);
  EXPECT_FALSE(cache.load(other));
  EXPECT_EQ(cache.counts().corrupt, 1);
}

TEST_F(DiskCacheTest, WhatIsNoFileIsNoHit) {
  DiskCache cache(root);
  fs::create_directory(file());
  EXPECT_FALSE(cache.load(key));
  fs::remove(file());
  ASSERT_EQ(mkfifo(file().c_str(), 0600), 0); // must not be waited for
  EXPECT_FALSE(cache.load(key));
}

TEST_F(DiskCacheTest, AnUnusableDirectoryWarnsOnceAndHoldsNothing) {
  std::ofstream(root + "/plain") << "a file";
  testing::internal::CaptureStderr();
  DiskCache cache(root + "/plain/cache");
  cache.store(key, sample());
  cache.store(key, sample());
  EXPECT_FALSE(cache.load(key));
  std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(said, "tessera: the kernel cache " + root +
                      "/plain/cache is no directory that can be used; kernels will be compiled again next time\n");
}

TEST_F(DiskCacheTest, AVanishedDirectoryWarnsOnceAndCounts) {
  DiskCache cache(root + "/gone");
  fs::remove(root + "/gone");
  testing::internal::CaptureStderr();
  cache.store(key, sample());
  cache.store(key, sample());
  std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(cache.counts().failedStores, 2);
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST_F(DiskCacheTest, TheDirectoryIsTheOptionThenTheEnvironmentThenHome) {
  setenv("TESSERA_CACHE", "/from/environment", 1);
  EXPECT_EQ(DiskCache::directory("/from/option"), "/from/option");
  EXPECT_EQ(DiskCache::directory(""), "/from/environment");
  unsetenv("TESSERA_CACHE");
  setenv("HOME", "/home/of/mine", 1);
  EXPECT_EQ(DiskCache::directory(""), "/home/of/mine/.cache/tessera/kernels");
}

// Two processes write the same entries over and over while both read: every read is whole or absent.
TEST_F(DiskCacheTest, TwoProcessesShareADirectory) {
  const Artifact artifact = sample(20000);
  auto churn = [&] {
    DiskCache cache(root);
    for (int i = 0; i < 60; ++i) {
      std::string name = key.substr(0, 31) + char('0' + i % 3);
      cache.store(name, artifact);
      std::optional<Artifact> seen = cache.load(name);
      if (!seen || *seen != artifact)
        return false;
    }
    return cache.counts().corrupt == 0 && cache.counts().failedStores == 0;
  };
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0)
    _exit(churn() ? 0 : 1);
  EXPECT_TRUE(churn());
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

} // namespace tessera
