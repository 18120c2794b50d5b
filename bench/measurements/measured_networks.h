// Networks of published measurements as workloads, to compare predictions with. Needs the folder `hw` of LATHE_DATA.
#pragma once

#include <map>
#include <string>

#include "bench/measurements/csv.h"
#include "policies/workload.h"

namespace lathe::measurements {

// ncnn's networks by name. Layers with int8 scales take 8 bits, all else `float_bits`; what int8 layers read from others is quantized by
// an operator of its own.
std::map<std::string, policies::Workload> ncnn_networks(const std::string& path, int float_bits);

// A NAS-Bench-201 network (X. Dong and Y. Yang, ICLR 2020): edges e01 e02 e12 e03 e13 e23 of the cell; fp32, CIFAR-10, batch 1.
// BatchNormalization is folded; every ReLU that precedes a convolution is an operator of its own.
policies::Workload nasbench201_network(const CsvRow& row);

// ResNet-18 and the bottleneck ResNet-50 at 224x224 with BatchNormalization and ReLU as operators of their own where `is_unfused`.
policies::Workload imagenet_resnet(int depth, double width, std::int64_t batch, int bits, bool is_unfused);

}  // namespace lathe::measurements
