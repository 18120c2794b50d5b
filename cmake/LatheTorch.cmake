# lathe::torch, from Debian's packages or from LATHE_TORCH_DIR. Torch's own CMake files are not used: Debian's forces all of LibTorch
# (and its 0.45 s of start-up) on every program that links a library above it, and the wheel's wants a CUDA tool kit. The installed package
# runs this file again, on the machine that uses it.
add_library(lathe::torch INTERFACE IMPORTED GLOBAL)
if(LATHE_TORCH_DIR)
  # A wheel also ships headers of protobuf, fmt and others, which would shadow those of the libraries that are linked: only LibTorch's
  # own folders are made visible.
  set(lathe_torch_headers ${PROJECT_BINARY_DIR}/torch_headers)
  file(MAKE_DIRECTORY ${lathe_torch_headers})
  foreach(folder torch ATen c10 caffe2)
    if(EXISTS ${LATHE_TORCH_DIR}/include/${folder})
      file(CREATE_LINK ${LATHE_TORCH_DIR}/include/${folder} ${lathe_torch_headers}/${folder} SYMBOLIC)
    endif()
  endforeach()
  target_include_directories(lathe::torch SYSTEM INTERFACE
    ${lathe_torch_headers} ${LATHE_TORCH_DIR}/include/torch/csrc/api/include)
  # --no-as-needed: CUDA kernels register themselves when libtorch_cuda is loaded, which nothing names. The wheel's libraries export a part
  # of the standard library (std::filesystem::remove_all, which then calls what is not there): the real one has to come first.
  target_link_options(lathe::torch INTERFACE -Wl,--allow-shlib-undefined -Wl,--disable-new-dtags -Wl,-rpath,${LATHE_TORCH_DIR}/lib)
  target_link_libraries(lathe::torch INTERFACE -Wl,--no-as-needed -lstdc++ ${LATHE_TORCH_DIR}/lib/libtorch.so
    ${LATHE_TORCH_DIR}/lib/libtorch_cpu.so ${LATHE_TORCH_DIR}/lib/libc10.so -Wl,--as-needed)
else()
  find_path(LATHE_TORCH_INCLUDE torch/torch.h PATH_SUFFIXES torch/csrc/api/include REQUIRED)
  find_library(LATHE_TORCH_LIBRARY torch REQUIRED)
  find_library(LATHE_TORCH_CPU_LIBRARY torch_cpu REQUIRED)
  find_library(LATHE_C10_LIBRARY c10 REQUIRED)
  target_include_directories(lathe::torch SYSTEM INTERFACE ${LATHE_TORCH_INCLUDE})
  # --as-needed: a test program that pulls no LibTorch code from the layers does not load it.
  target_link_libraries(lathe::torch INTERFACE -Wl,--as-needed ${LATHE_TORCH_LIBRARY} ${LATHE_TORCH_CPU_LIBRARY} ${LATHE_C10_LIBRARY})
endif()
