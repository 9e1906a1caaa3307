{
  "variables": {
    "warnings": ["-Wall", "-Wextra", "-Wshadow", "-Wno-missing-field-initializers"],
    "hardening": ["-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"],
    "openssl_fips": ""
  },
  "targets": [
    {
      "target_name": "jubako",
      "sources": ["native/addon.cc", "<!@(ls native/napi/*.cc)", "native/spawn/start.cc", "native/net/netlink.cc", "native/mount/filesystem.cc", "<!@(ls native/seccomp/*.cc 2>/dev/null || true)", "<!@(ls native/lib/*.cc 2>/dev/null || true)"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "_GNU_SOURCE"],
      "cflags!": ["-fno-omit-frame-pointer"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-isystem", "<!(node -p \"require('path').resolve(require('node-addon-api').include_dir)\")", "-std=c++20", "<@(warnings)", "<@(hardening)", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-ffunction-sections"],
      "ldflags": ["-Wl,-z,relro,-z,now", "-Wl,--gc-sections", "-static-libstdc++", "-static-libgcc"]
    },
    {
      "target_name": "jubako-init",
      "type": "executable",
      "sources": ["<!@(ls native/init/*.cc)", "<!@(find native/spawn native/mount native/net native/pty native/archive native/copy native/lib -name '*.cc')"],
      "defines": ["_GNU_SOURCE"],
      "cflags!": ["-fPIC", "-pthread", "-O3"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fexceptions"],
      "cflags_cc": ["-std=c++20", "-O2", "<@(warnings)", "<@(hardening)", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections", "-fno-pie"],
      "ldflags!": ["-rdynamic", "-pthread"],
      "ldflags": ["-static", "-no-pie", "-Wl,--gc-sections", "-Wl,-z,relro,-z,now", "-Wl,-z,noseparate-code", "-Wl,-s"],
      "libraries": ["-l:libz.a", "-l:libdeflate.a", "-l:libzstd.a", "-l:liblzma.a", "-l:libbz2.a", "-l:libcrypto.a", "-lpthread"]
    },
    {
      "target_name": "jubako-hello",
      "type": "executable",
      "sources": ["native/hello/hello.c"],
      "cflags!": ["-fPIC", "-pthread", "-O3"],
      "cflags": ["-Os", "-Wall", "-Wextra", "-ffunction-sections", "-fno-pie"],
      "ldflags!": ["-rdynamic", "-pthread"],
      "ldflags": ["-static", "-no-pie", "-Wl,--gc-sections", "-Wl,-s"]
    }
  ]
}
