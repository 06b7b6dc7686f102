package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/privatelink"
)

var versions = map[string]string{"vpc": "2016-04-28", "ecs": "2014-05-26", "privatelink": "2020-04-15", "sts": "2015-04-01"}

// Typed requests of the older SDK; what is not listed goes through its CommonRequest.
var typed = map[string]func() (requests.AcsRequest, responses.AcsResponse){
	"CreateVpcEndpoint": func() (requests.AcsRequest, responses.AcsResponse) {
		return privatelink.CreateCreateVpcEndpointRequest(), privatelink.CreateCreateVpcEndpointResponse()
	},
	"GetVpcEndpointAttribute": func() (requests.AcsRequest, responses.AcsResponse) {
		return privatelink.CreateGetVpcEndpointAttributeRequest(), privatelink.CreateGetVpcEndpointAttributeResponse()
	},
	"ListVpcEndpoints": func() (requests.AcsRequest, responses.AcsResponse) {
		return privatelink.CreateListVpcEndpointsRequest(), privatelink.CreateListVpcEndpointsResponse()
	},
	"ListVpcEndpointZones": func() (requests.AcsRequest, responses.AcsResponse) {
		return privatelink.CreateListVpcEndpointZonesRequest(), privatelink.CreateListVpcEndpointZonesResponse()
	},
	"ListVpcEndpointServicesByEndUser": func() (requests.AcsRequest, responses.AcsResponse) {
		return privatelink.CreateListVpcEndpointServicesByEndUserRequest(), privatelink.CreateListVpcEndpointServicesByEndUserResponse()
	},
}

// The older SDK, which the Terraform provider uses too: V1 signatures.
func newV1(config Config) func(Call) Answer {
	client, err := sdk.NewClientWithAccessKey(config.Region, config.Key, config.Secret)
	require(err)
	return func(call Call) Answer {
		if make, known := typed[call.Action]; known && call.Sdk == "privatelink" {
			request, response := make()
			require(json.Unmarshal(call.Parameters, request))
			request.SetDomain(config.Host)
			request.SetScheme(strings.ToUpper(config.Scheme))
			return readV1(client.DoAction(request, response), response, response)
		}
		return callCommon(client, call, config)
	}
}

func callCommon(client *sdk.Client, call Call, config Config) Answer {
	request := requests.NewCommonRequest()
	request.Method, request.Scheme, request.Domain = "POST", strings.ToUpper(config.Scheme), config.Host
	request.Version, request.ApiName = versions[call.Sdk], call.Action
	request.QueryParams["RegionId"] = config.Region
	var nested map[string]any
	require(json.Unmarshal(call.Parameters, &nested))
	flatten("", nested, request.QueryParams)
	response, err := client.ProcessCommonRequest(request)
	if err != nil {
		return readV1(err, nil, nil)
	}
	var body any
	require(json.Unmarshal(response.GetHttpContentBytes(), &body))
	return readV1(nil, response, body)
}

func readV1(err error, response responses.AcsResponse, body any) Answer {
	var refused *sdkerrors.ServerError
	if errors.As(err, &refused) {
		return Answer{Status: refused.HttpStatus(), Code: refused.ErrorCode(), Message: refused.Message()}
	}
	if err != nil {
		return Answer{Message: reflect.TypeOf(err).String() + ": " + err.Error()}
	}
	return Answer{Status: response.GetHttpStatus(), Body: withoutBase(body)}
}

// withoutBase leaves the model's own fields: the embedded response carries the HTTP message.
func withoutBase(body any) any {
	text, err := json.Marshal(body)
	require(err)
	var plain any
	require(json.Unmarshal(text, &plain))
	return plain
}

// flatten counts lists from 1, as the documents of these APIs write them: Zone.1.ZoneId.
func flatten(prefix string, value any, into map[string]string) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			flatten(join(prefix, name), inner, into)
		}
	case []any:
		for number, inner := range value {
			flatten(join(prefix, fmt.Sprint(number+1)), inner, into)
		}
	default:
		into[prefix] = fmt.Sprint(value)
	}
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
