package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	ecs "github.com/alibabacloud-go/ecs-20140526/v7/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	vpc "github.com/alibabacloud-go/vpc-20160428/v6/client"
)

// The current SDK: typed clients of VPC and ECS, and its generic call for every other product.
func newAcs3(config Config) func(Call) Answer {
	options := &openapi.Config{
		AccessKeyId:     &config.Key,
		AccessKeySecret: &config.Secret,
		Endpoint:        &config.Host,
		Protocol:        &config.Scheme,
		RegionId:        &config.Region,
	}
	vpcs, err := vpc.NewClient(options)
	require(err)
	groups, err := ecs.NewClient(options)
	require(err)
	generic, err := openapi.NewClient(options)
	require(err)
	return func(call Call) Answer {
		switch call.Sdk {
		case "vpc":
			return callTyped(vpcs, call, config.Region)
		case "ecs":
			return callTyped(groups, call, config.Region)
		}
		return callGeneric(generic, call, config.Region)
	}
}

// callTyped finds the action's method; its request is filled, and its answer read, through the SDK's own models.
func callTyped(client any, call Call, region string) Answer {
	method := reflect.ValueOf(client).MethodByName(call.Action)
	request := reflect.New(method.Type().In(0).Elem())
	if field := request.Elem().FieldByName("RegionId"); field.IsValid() {
		field.Set(reflect.ValueOf(&region))
	}
	require(json.Unmarshal(call.Parameters, request.Interface()))
	results := method.Call([]reflect.Value{request})
	if err, failed := results[1].Interface().(error); failed {
		return readRefusal(err)
	}
	response := results[0].Elem()
	status := response.FieldByName("StatusCode").Interface().(*int32)
	return Answer{Status: int(*status), Body: response.FieldByName("Body").Interface()}
}

func callGeneric(client *openapi.Client, call Call, region string) Answer {
	var nested map[string]any
	require(json.Unmarshal(call.Parameters, &nested))
	nested["RegionId"] = region
	params := &openapiutil.Params{
		Action:      dara.String(call.Action),
		Version:     dara.String(versions[call.Sdk]),
		Protocol:    client.Protocol,
		Pathname:    dara.String("/"),
		Method:      dara.String("POST"),
		AuthType:    dara.String("AK"),
		Style:       dara.String("RPC"),
		ReqBodyType: dara.String("formData"),
		BodyType:    dara.String("json"),
	}
	request := &openapiutil.OpenApiRequest{Query: openapiutil.Query(nested)}
	result, err := client.CallApi(params, request, &dara.RuntimeOptions{})
	if err != nil {
		return readRefusal(err)
	}
	status, err := strconv.Atoi(fmt.Sprint(result["statusCode"])) // an int of another size in each release
	require(err)
	return Answer{Status: status, Body: result["body"]}
}

// readRefusal: each generation of the SDK has an error type of its own.
func readRefusal(err error) Answer {
	var old *tea.SDKError
	if errors.As(err, &old) {
		return Answer{Status: tea.IntValue(old.StatusCode), Code: tea.StringValue(old.Code), Message: tea.StringValue(old.Message)}
	}
	var sdk *dara.SDKError
	if errors.As(err, &sdk) {
		return Answer{Status: dara.IntValue(sdk.StatusCode), Code: dara.StringValue(sdk.Code), Message: dara.StringValue(sdk.Message)}
	}
	var refused interface {
		GetCode() *string
		GetMessage() *string
		GetStatusCode() *int
	}
	if errors.As(err, &refused) {
		return Answer{
			Status: dara.IntValue(refused.GetStatusCode()), Code: dara.StringValue(refused.GetCode()), Message: dara.StringValue(refused.GetMessage()),
		}
	}
	return Answer{Message: reflect.TypeOf(err).String() + ": " + err.Error()}
}
