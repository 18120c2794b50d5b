#include "hwmodels/device_parameters.h"

#include "hwmodels/device_class_registry.h"
#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

constexpr DeviceParameter kArmCpu[] = {
    {"clock_hz", true, "clock of the cores"},
    {"threads", true, "cores that work together"},
    {"fp32_macs_per_cycle", true, "peak multiply-accumulates of one core"},
    {"fp16_macs_per_cycle", false, "the same in fp16 arithmetic (ARMv8.2)"},
    {"int8_macs_per_cycle", true, "the same in int8; without dot product that of widening multiplies and pairwise adds"},
    {"int16_macs_per_cycle", false, "the same for 16-bit operands; where given, int8 3x3 convolutions may use Winograd's algorithm"},
    {"int8_reduction_granule", true, "input channels that one int8 instruction reduces"},
    {"gemm_efficiency", true, "share of the peak that a tuned matrix kernel sustains"},
    {"depthwise_efficiency", true, "share of the peak that a tuned depthwise kernel sustains"},
    {"winograd_efficiency", true, "share of the peak that the products of Winograd's algorithm sustain"},
    {"vector_bytes", true, "width of a vector register"},
    {"tile_channels", true, "output channels of the register tile"},
    {"tile_pixels", true, "output pixels of the register tile"},
    {"tile_overhead_k", true, "cost of starting and storing a register tile, in multiply-accumulates an output"},
    {"unpack_weights_per_cycle", true, "packed weights that one core turns into int8 or float"},
    {"last_level_cache_bytes", true, "last cache that the cores share"},
    {"core_cache_bytes_per_cycle", true, "bandwidth of one core to that cache"},
    {"cache_bytes_per_cycle", true, "bandwidth of that cache, all cores"},
    {"dram_bytes_per_s", true, "sustained bandwidth of the memory, all cores"},
    {"core_dram_bytes_per_s", true, "the same for one core"},
    {"memory_overlap", true, "share of the memory time that hides behind arithmetic (1 = all)"},
    {"op_overhead_s", true, "time to start an operator"},
    {"thread_overhead_s", true, "time to fork and join two threads for an operator; n threads take log2(n) times this"},
    {"fp32_pj_per_mac", true, "energy of a multiply-accumulate with its instructions"},
    {"fp16_pj_per_mac", false, "the same in fp16"},
    {"int8_pj_per_mac", true, "the same in int8"},
    {"cache_pj_per_byte", true, "energy of a byte from the last-level cache"},
    {"dram_pj_per_byte", true, "energy of a byte from memory"},
    {"static_power_w", true, "power of the idle board"},
    {"memory_bytes", true, "memory that a network may fill"},
};

constexpr DeviceParameter kArmMcu[] = {
    {"clock_hz", true, "clock of the core"},
    {"int8_cycles_per_mac", true, "cycles of a multiply-accumulate in the int8 matrix kernel, loads and widening included"},
    {"int16_cycles_per_mac", true, "the same for 16-bit activations"},
    {"fp32_cycles_per_mac", true, "the same in fp32"},
    {"depthwise_factor", true, "cycles of a multiply-accumulate of a depthwise convolution over those of the matrix kernel"},
    {"dense_factor", true, "the same of a product of one row, whose weights are used once"},
    {"reduction_granule", true, "values that one step of the kernel's inner loop takes"},
    {"channel_tile", true, "output channels that the kernel computes together"},
    {"im2col_cycles_per_element", true, "cycles to copy and widen an element of a window"},
    {"output_cycles_per_element", true, "cycles to requantize, clamp and store an output"},
    {"vector_cycles_per_element", true, "cycles of an element of pooling, addition, copies"},
    {"op_overhead_cycles", true, "cycles to start an operator"},
    {"flash_bytes_per_cycle", true, "sustained reads of weights, wait states and accelerator included"},
    {"sram_bytes", true, "memory for activations, stack and the runtime's own data"},
    {"runtime_sram_bytes", true, "what stack, runtime and kernels' scratch take of it"},
    {"flash_bytes", true, "memory for code and weights"},
    {"runtime_flash_bytes", true, "what code takes of it"},
    {"active_pj_per_cycle", true, "energy of a cycle of the running core, fetch of instructions included"},
    {"pj_per_mac", true, "energy that a multiply-accumulate adds to the cycles"},
    {"flash_pj_per_byte", true, "energy of a byte of weights"},
    {"static_power_w", true, "regulator, leakage and the board's idle power"},
};

constexpr DeviceParameter kGpu[] = {
    {"clock_hz", true, "boost clock of the multiprocessors"},
    {"multiprocessors", true, "number of streaming multiprocessors"},
    {"fp32_macs_per_cycle", true, "peak of one multiprocessor without tensor cores"},
    {"tf32_macs_per_cycle", false, "tensor cores in TF32; where given, 32-bit layers use it"},
    {"fp16_macs_per_cycle", true, "tensor cores in fp16"},
    {"int8_macs_per_cycle", true, "tensor cores in int8 or fp8"},
    {"int4_macs_per_cycle", false, "tensor cores in int4"},
    {"math_efficiency", true, "share of the tensor-core peak in the main loop of a tuned kernel"},
    {"simt_efficiency", true, "share of the peak outside of tensor cores (fp32 kernels)"},
    {"attention_efficiency", true, "share of the peak in products of two activations (fused attention)"},
    {"winograd_efficiency", true, "share of the fp32 peak in the products of Winograd's algorithm"},
    {"direct_efficiency", true, "share of the fp32 peak in depthwise and grouped convolution"},
    {"product_simt_efficiency", true, "share of the peak outside of tensor cores in products that are no convolution"},
    {"copied_elements_per_s", true, "elements that copies, and operators with a number for each channel, index a second"},
    {"pooled_elements_per_s", true, "input elements that pooling reads a second"},
    {"reduced_rows_per_s", true, "rows that normalization, softmax and other reductions take a second"},
    {"step_latency_s", true, "shortest time of a step of the main loop on tensor cores: loads on their way"},
    {"simt_step_latency_s", true, "the same outside of tensor cores"},
    {"channel_alignment_bytes", true, "channels are padded to this many bytes for tensor cores"},
    {"warpgroup_columns", false, "granule of columns of a tensor-core product, where it is finer than the tiles (Hopper: 8)"},
    {"tile_step_bytes", true, "bytes of the reduction axis that a step of the main loop takes"},
    {"shared_bytes_per_cycle", true, "bandwidth of one multiprocessor's shared memory"},
    {"tile_overhead_s", true, "prologue and epilogue of a tile"},
    {"l2_bytes", true, "what the second-level cache still holds of an operator's input and output"},
    {"l2_bytes_per_s", true, "its bandwidth"},
    {"dram_bytes_per_s", true, "sustained bandwidth of the memory"},
    {"kernel_overhead_s", true, "time between two dependent kernels in a graph of kernels"},
    {"convolution_overhead_s", true, "the same before a convolution on tiles"},
    {"fp32_pj_per_mac", true, "energy of a multiply-accumulate with its instructions"},
    {"tf32_pj_per_mac", false, "the same in TF32 on tensor cores"},
    {"fp16_pj_per_mac", true, "the same in fp16 on tensor cores"},
    {"int8_pj_per_mac", true, "the same in int8"},
    {"int4_pj_per_mac", false, "the same in int4"},
    {"l2_pj_per_byte", true, "energy of a byte from the second-level cache"},
    {"dram_pj_per_byte", true, "energy of a byte from memory"},
    {"static_power_w", true, "idle power of the board"},
    {"memory_bytes", true, "memory that a network may fill"},
};

constexpr DeviceParameter kFpgaDpu[] = {
    {"clock_hz", true, "clock of the processing engine (its DSPs run at twice this)"},
    {"cores", true, "engines; each takes its own images of a batch"},
    {"pixel_parallel", true, "output pixels in parallel"},
    {"input_channel_parallel", true, "input channels in parallel"},
    {"output_channel_parallel", true, "output channels in parallel"},
    {"depthwise_macs_per_cycle", true, "multiply-accumulates of the depthwise engine"},
    {"elementwise_per_cycle", true, "elements a cycle of pooling and element-wise addition"},
    {"array_efficiency", true, "share of cycles in which the array is fed"},
    {"on_chip_bytes", true, "buffers of one engine for activations"},
    {"dram_bytes_per_s", true, "sustained memory bandwidth of one engine"},
    {"op_overhead_s", true, "instruction fetch and synchronization of an operator"},
    {"int8_pj_per_mac", true, "energy of a multiply-accumulate"},
    {"on_chip_pj_per_byte", true, "energy of a byte from on-chip buffers"},
    {"dram_pj_per_byte", true, "energy of a byte from memory"},
    {"static_power_w", true, "idle power of the board with the design loaded"},
    {"memory_bytes", true, "memory that a network may fill"},
};

constexpr DeviceParameter kFpgaBitSerial[] = {
    {"clock_hz", true, "clock of the array"},
    {"array_rows", true, "rows D_m of the dot-product array (output pixels)"},
    {"array_columns", true, "columns D_n of the dot-product array (output channels)"},
    {"array_depth", true, "bits D_k that each dot-product unit takes a cycle"},
    {"array_efficiency", true, "share of cycles in which the array is fed"},
    {"on_chip_bytes", true, "matrix buffers on chip"},
    {"dram_bytes_per_s", true, "sustained memory bandwidth"},
    {"op_overhead_s", true, "instructions and synchronization of an operator"},
    {"host_elements_per_s", true, "elements that the host processor pools, adds or moves a second"},
    {"binary_pj_per_mac", true, "energy of a one-bit multiply-accumulate"},
    {"on_chip_pj_per_byte", true, "energy of a byte from on-chip buffers"},
    {"dram_pj_per_byte", true, "energy of a byte from memory"},
    {"static_power_w", true, "idle power of the board with the design loaded"},
    {"memory_bytes", true, "memory that a network may fill"},
};

constexpr DeviceParameter kFpgaDataflow[] = {
    {"clock_hz", true, "clock of the pipeline"},
    {"luts", true, "look-up tables of the device"},
    {"flip_flops", true, "flip-flops of the device"},
    {"bram36", true, "36-kbit block RAMs of the device"},
    {"dsps", true, "DSP slices of the device"},
    {"usable_share", true, "share of the resources that a design can fill and still route"},
    {"shell_luts", true, "look-up tables of the surroundings: DMA, interconnect"},
    {"shell_bram36", true, "block RAMs of the surroundings"},
    {"layer_base_luts", true, "look-up tables of a layer's control, sliding window and streams"},
    {"lut_overhead_factor", true, "look-up tables after synthesis for each one of the formula"},
    {"luts_per_pe", true, "look-up tables of a processing element's requantization"},
    {"flip_flops_per_lut", true, "flip-flops that go with a look-up table"},
    {"macs_per_dsp", true, "multiply-accumulates of up to 8 x 8 bits that a DSP slice does a cycle"},
    {"luts_per_dsp_mac", true, "look-up tables beside a multiply-accumulate that runs on a DSP slice"},
    {"host_overhead_s", true, "time to start a batch from the host"},
    {"lut_pj_per_bit_mac", true, "energy of a bit product in look-up tables"},
    {"dsp_pj_per_mac", true, "energy of a multiply-accumulate on a DSP slice"},
    {"on_chip_pj_per_byte", true, "energy of a byte from block RAM"},
    {"dram_pj_per_byte", true, "energy of a byte from memory"},
    {"dram_bytes_per_s", true, "sustained memory bandwidth (network input and output)"},
    {"static_power_w", true, "idle power of the board with the design loaded"},
};

constexpr DeviceParameter kX86Cpu[] = {
    {"clock_hz", true, "clock of the cores under load"},
    {"threads", true, "cores that work together"},
    {"fp32_macs_per_cycle", true, "peak multiply-accumulates of one core"},
    {"int8_macs_per_cycle", true, "the same in int8 (VNNI: four times fp32)"},
    {"int8_reduction_granule", true, "input values that one int8 instruction reduces"},
    {"channel_block", true, "output channels are padded to this many"},
    {"fp32_efficiency", true, "share of the peak that fp32 products sustain"},
    {"int8_efficiency", true, "share of the peak that int8 products sustain"},
    {"fp32_depthwise_efficiency", true, "share of the peak that fp32 depthwise convolutions sustain"},
    {"int8_depthwise_efficiency", true, "share of the peak that int8 depthwise convolutions sustain"},
    {"fp32_elements_per_s", true, "elements that a core adds, pools or moves a second in fp32"},
    {"int8_elements_per_s", true, "the same in int8, where every result is requantized"},
    {"tile_overhead_k", true, "cost of starting and storing a register tile, in multiply-accumulates an output"},
    {"last_level_cache_bytes", true, "last cache that the cores share"},
    {"cache_bytes_per_s", true, "bandwidth of that cache, all cores of this device"},
    {"dram_bytes_per_s", true, "sustained bandwidth of the memory"},
    {"op_overhead_s", true, "time to start an operator in fp32"},
    {"int8_op_overhead_s", true, "the same in int8"},
    {"thread_overhead_s", true, "time to fork and join the threads for an operator"},
    {"fp32_pj_per_mac", true, "energy of a multiply-accumulate with its instructions"},
    {"int8_pj_per_mac", true, "the same in int8"},
    {"cache_pj_per_byte", true, "energy of a byte from the last-level cache"},
    {"dram_pj_per_byte", true, "energy of a byte from memory"},
    {"static_power_w", true, "power of the idle machine, this device's share"},
    {"memory_bytes", true, "memory that a network may fill"},
};

constexpr DeviceParameter kLookupTable[] = {
    {"table_unit_s", true, "seconds that one unit of the table's latency column is (0.001 for milliseconds)"},
    {"static_power_w", false, "power while a network runs"},
    {"memory_bytes", false, "memory that a network may fill"},
};

}  // namespace

std::span<const DeviceParameter> device_parameters(DeviceClass device_class) {
  switch (device_class) {
    case DeviceClass::kArmCpu:
      return kArmCpu;
    case DeviceClass::kArmMcu:
      return kArmMcu;
    case DeviceClass::kGpu:
      return kGpu;
    case DeviceClass::kFpgaDpu:
      return kFpgaDpu;
    case DeviceClass::kFpgaBitSerial:
      return kFpgaBitSerial;
    case DeviceClass::kFpgaDataflow:
      return kFpgaDataflow;
    case DeviceClass::kX86Cpu:
      return kX86Cpu;
    case DeviceClass::kLookupTable:
      return kLookupTable;
    case DeviceClass::kRegistered:
      break;
  }
  LATHE_CHECK(false) << "not a built-in device class";
  return {};
}

std::span<const DeviceParameter> device_parameters(const DeviceSpec& device) {
  if (device.device_class == DeviceClass::kRegistered) return registered_device_class(device.registered_class).parameters;
  return device_parameters(device.device_class);
}

}  // namespace lathe::hwmodels
